### Failures: what happened; `.why` it did; what to do `.next`. The id is `failure-` and the code with dashes.

failure-code = Code:

## Found out by the interface

failure-interface-offline = You are offline
    .why = Your device has no network connection.
    .next = Check the connection, then try again.
failure-interface-no-answer = The server does not answer
    .why = Gatehouse is stopped, or the network between here and it is broken.
    .next = Try again in a moment. If it goes on, ask the administrator whether Gatehouse runs.
failure-interface-lost = The connection to the gateway broke
    .why = The network dropped it, and three tries to get it back failed.
    .next = Check your network, then try again.
failure-interface-unreadable-picture = The picture could not be read
    .why = What came from the machine is not what the screen’s protocol allows.
    .next = Try again. If it happens again, tell the administrator the code and the machine’s name.
failure-interface-unknown = Something failed that this page cannot explain
    .why = The server gave a reason that this version of the page does not know.
    .next = Try again. If it happens again, tell the administrator the code.
failure-interface-not-found = There is nothing at this address
    .why = The address is misspelled, or what was here is gone.
    .next = Go back to the list and open it from there.
failure-interface-no-link = You need a link to log in
    .why = This address works only together with a one-time token.
    .next = Run this command on the server and open the link that it prints:

## Logging in

failure-auth-required = You are not logged in
    .why = This browser has no session, or it ended.
    .next = Run this command on the server and open the link that it prints:
failure-auth-forbidden = You may not do this
    .why = Your account does not have the right.
    .next = Ask an administrator for it.
failure-auth-link-used = This link has been used
    .why = A link lets one browser in, once.
    .next = Run this command on the server for a new one:
failure-auth-link-expired = This link has expired
    .why = A link is good for 30 minutes.
    .next = Run this command on the server for a new one:
failure-auth-link-unknown = This link is not known
    .why = It is incomplete, or it belongs to another installation.
    .next = Copy the whole link, or run this command on the server for a new one:
failure-auth-throttled = Too many tries
    .why = There were too many failed log-ins from your address.
    .next = Wait a few minutes, then try again.

## Tickets

failure-ticket-used = This console was opened elsewhere
    .why = A ticket opens one console, once, and somebody or another tab took it.
    .next = Ask for a new link.
failure-ticket-expired = This console link has expired
    .why = It was not opened in time, or the time to come back is over.
    .next = Ask for a new link.
failure-ticket-unknown = This console link is not known
    .why = It is incomplete, or its session is long over.
    .next = Check that the whole link was copied, or ask for a new one.

## How a session ends

failure-session-viewer-left = You ended the session
    .why = The screen was closed from here. The machine goes on running.
    .next = Open it again when you need it.
failure-session-viewer-lost = The gateway lost this browser
    .why = The connection broke or stood still for too long.
    .next = Check your network, then try again.
failure-session-target-closed = The machine closed the connection
    .why = It was shut down or restarted, or somebody else took its screen.
    .next = If it restarts, wait a moment and try again.
failure-session-target-lost = The gateway lost the machine
    .why = The connection between the gateway and the machine broke.
    .next = Check that the machine runs, then try again.
failure-session-killed = An administrator ended this session
    .why = A person or a rule cut it off. The machine goes on running.
    .next = Ask the administrator why, and for a new link if you need one.
failure-session-expired = The time of this session is over
    .why = It reached the longest duration that is allowed.
    .next = Ask for a new link if you need more time.
failure-session-idle = The session ended because nothing was typed
    .why = It stood idle for longer than is allowed.
    .next = Open it again when you need it.
failure-session-viewer-misbehaved = The gateway stopped this session
    .why = This browser sent something that the screen’s protocol does not allow.
    .next = Reload the page. If it happens again, tell the administrator the code.
failure-session-target-misbehaved = The gateway stopped this session
    .why = The machine sent something that the screen’s protocol does not allow.
    .next = Try again. If it happens again, have the machine’s VNC server checked.
failure-session-target-refused = The machine refused the connection
    .why = Its VNC server did not let the gateway in.
    .next = Have the target’s settings tested by an administrator.
failure-session-draining = Gatehouse is restarting
    .why = An administrator stopped or updated it.
    .next = Try again in a moment.
failure-session-node-lost = Gatehouse stopped while the session ran
    .why = The program or its server failed.
    .next = Try again in a moment. If it goes on, tell the administrator.
failure-session-replaced = This session was opened somewhere else
    .why = A newer session of yours on this machine took its place.
    .next = Go on there, or open a new one here.

## The way to a target

failure-target-unreachable = { $name } cannot be reached
    .why = Nothing accepted a connection at its address.
    .next = Check that it is switched on and that its VNC server runs, then try again.
failure-target-timeout = { $name } does not answer
    .why = It did not finish the greeting in time: it may be overloaded, or a firewall drops the connection.
    .next = Try again. If it goes on, check the machine and the way to it.
failure-target-wrong-password = The password stored for { $name } is wrong
    .why = Its VNC server refused what the gateway logged in with.
    .next = Have the administrator store the right password. Do not try often: the machine may lock everybody out.
failure-target-too-many-failures = { $name } refuses log-ins for now
    .why = Its VNC server saw too many failed log-ins and locks everybody out for a while.
    .next = Wait a minute, then try once. If it goes on, check the stored password.
failure-target-tls-mismatch = { $name } shows another certificate than before
    .why = Its certificate was renewed, or somebody stands between the gateway and the machine.
    .next = Do not go on. Have the administrator compare the fingerprints and pin the new one if it is right.
failure-target-identity-unknown = The identity of { $name } has not been confirmed
    .why = The gateway sees its certificate or key for the first time and may not decide alone.
    .next = Have the administrator run “Test” on this target and confirm the fingerprint.
failure-target-downgrade = { $name } offers less security than before
    .why = It used to be reached in a safer way. That may be a change of settings or an attack.
    .next = Have the administrator find out which, then test the target again.
failure-target-no-common-type = { $name } and the gateway have no security type in common
    .why = Its VNC server offers none that the gateway knows or may use.
    .next = Have the VNC server’s security settings changed.
failure-target-below-floor = { $name } is less secure than its entry asks for
    .why = Its VNC server offers only types that are weaker than the floor set for this target.
    .next = Strengthen the VNC server, or have the administrator lower the floor.
failure-target-not-vnc = There is no VNC server at the address of { $name }
    .why = Something answered, but not in the protocol of a VNC server.
    .next = Check the port of the target.
failure-target-misbehaved = { $name } broke the protocol
    .why = What its VNC server said while greeting is not allowed.
    .next = Try again. If it happens again, have the VNC server checked or updated.
failure-target-password-missing = No password is stored for { $name }
    .why = Its VNC server asks for one.
    .next = Have the administrator store it with the target.
failure-target-unknown = This target does not exist any more
    .why = It was removed, or the address is wrong.
    .next = Go back to the list.
failure-target-name-taken = There is already a target named { $name }
    .why = Names of targets are unique.
    .next = Choose another name.
failure-target-address-invalid = This address cannot be used
    .why = It is not of the form vnc://host:port.
    .next = Write it like vnc://192.0.2.10:5901.

## The server

failure-server-internal = The server failed
    .why = It met an error of its own. The cause is in its log.
    .next = Try again. If it happens again, tell the administrator the code and the time.
failure-server-busy = The server takes no more sessions now
    .why = It is at its limit.
    .next = Try again in a few minutes.
failure-server-database = The server cannot reach its database
    .why = New sessions cannot be recorded, so none are opened. Running ones go on.
    .next = Try again in a moment. If it goes on, tell the administrator.
