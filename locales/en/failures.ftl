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
failure-interface-popup-blocked = The browser blocked the window
    .why = It does not let this page open windows.
    .next = Allow windows for this site in the browser’s address bar, then try again. Or open the console here.
failure-interface-no-right = You may not see this page
    .why = Your role does not have the right for it.
    .next = Ask an administrator if you need it.

## Logging in

failure-auth-required = You are not logged in
    .why = This browser has no session, or it ended.
    .next = Log in, and you come back here.
failure-admin-link-used = This link has been used
    .why = A link lets one browser in, once.
    .next = Run this command on the server for a new one:
failure-admin-link-expired = This link has expired
    .why = A link is good for 30 minutes.
    .next = Run this command on the server for a new one:
failure-admin-link-unknown = This link is not known
    .why = It is incomplete, or it belongs to another installation.
    .next = Copy the whole link, or run this command on the server for a new one:
failure-door-throttled = Too many tries
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
failure-sessions-unreachable = The gateway that has this session does not answer
    .why = It runs on another machine, which is off or cut off.
    .next = Try again in a moment. If it goes on, tell the administrator.
failure-resume-malformed = This page’s reconnect key cannot be used
    .why = Something between this page and the server changed it.
    .next = Close this tab and open the link again in a new one.
failure-ticket-session-over = This session is over
    .why = It ended, or the time to come back to it has passed.
    .next = Ask for a new link.

## How a session ends

failure-session-viewer-left = You ended the session
    .why = The screen was closed from here. The machine goes on running.
    .next = Open it again when you need it.
failure-session-viewer-lost = The gateway lost this browser
    .why = The connection broke or stood still for too long.
    .next = Check your network, then try again.
failure-session-no-heartbeat = The gateway heard nothing from this browser
    .why = The network stood still, or the device slept.
    .next = Check your network, then try again.
failure-session-stalled = The connection stood still for too long
    .why = Nothing got through any more between here, the gateway and the machine.
    .next = Check your network, then try again.
failure-session-truncated = The machine broke off in the middle of a picture
    .why = It was shut down or restarted, or its VNC server failed.
    .next = Wait a moment, then try again.
failure-session-target-closed = The machine closed the connection
    .why = It was shut down or restarted, or somebody else took its screen.
    .next = If it restarts, wait a moment and try again.
failure-session-target-lost = The gateway lost the machine
    .why = The connection between the gateway and the machine broke.
    .next = Check that the machine runs, then try again.
failure-session-killed = An administrator ended this session
    .why = A person or a rule cut it off. The machine goes on running.
    .next = Ask the administrator why, and for a new link if you need one.
failure-session-killed-by = { $by } ended this session
    .why = It was cut off by hand. The machine goes on running.
    .next = Ask { $by } why, or open the machine again.
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
    .next = Do not go on. Have the administrator read the fingerprint on the machine itself, compare it with these, and pin the new one only if it is the same.
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
failure-target-refused = { $name } refused the connection
    .why = Its VNC server gave no reason that is known here.
    .next = Look into the VNC server’s log, then try again.
failure-target-tls-failed = No encrypted connection to { $name } could be made
    .why = Its VNC server and the gateway could not agree on TLS.
    .next = Check the certificate and the TLS settings of the VNC server.
failure-target-repeater = There is a repeater at the address of { $name }
    .why = A repeater asks for an ID before it connects anybody, and none is known for this target.
    .next = Enter the address of the machine itself.
failure-target-setup = The gateway could not prepare the connection to { $name }
    .why = Something that it needs for this way of logging in is missing or broken.
    .next = Tell the administrator the code; the cause is in the server’s log.
failure-target-internal = The gateway failed while connecting to { $name }
    .why = It met an error of its own. The cause is in its log.
    .next = Try again. If it happens again, tell the administrator the code and the time.
failure-target-not-found = This target does not exist any more
    .why = It was removed after the console was asked for.
    .next = Go back to the list.
failure-target-entry-unavailable = The entry of this target cannot be read
    .why = The gateway’s database did not answer.
    .next = Try again in a moment. If it goes on, tell the administrator.
failure-target-no-test-card = The test card is not running
    .why = Gatehouse offers it only when it is started with its demo.
    .next = Start it with “gatehouse serve --demo”, or choose another target.
failure-target-name-invalid = This name cannot be used
    .why = It is empty, too long, or has characters that a name cannot have.
    .next = Choose a shorter name of letters, digits and spaces.
failure-target-name-taken = There is already a target named { $name }
    .why = Names of targets are unique.
    .next = Choose another name.
failure-target-address = This address cannot be used
    .why = It is not of the form vnc://host:port.
    .next = Write it like vnc://192.0.2.10:5901.

## Changes

failure-api-changed-meanwhile = Somebody changed this meanwhile
    .why = It is no longer as you saw it.
    .next = Look at what changed, then decide.
failure-people = This could not be changed
    .why = It is not there any more, or it does not fit the others.
    .next = Load the page again and try once more.

## The door

failure-door = The gateway does not let you in
    .why = It refuses connections from your address or with this ticket.
    .next = Ask the administrator, and tell the code.
failure-door-banned = Your address is blocked
    .why = There were too many failed tries from it.
    .next = Wait a while, or ask the administrator to unblock it.
failure-door-ticket-spent = This ticket has been used
    .why = A ticket opens one console, once.
    .next = Ask for a new link.
failure-door-unavailable = The gateway cannot check who you are
    .why = Its database did not answer.
    .next = Try again in a moment. If it goes on, tell the administrator.
failure-door-wrong-credentials = Name or password is wrong
    .why = The gateway does not know them together.
    .next = Check both, then try again.

## People and rights

failure-name-empty = A name is needed
    .why = Nothing that can be seen is left of it.
    .next = Enter at least one letter or digit.
failure-name-too-long = This name is too long
    .why = A name has at most 80 characters.
    .next = Choose a shorter one.
failure-name-forbidden = This name cannot be used
    .why = It has a character that is not seen, or that turns the direction of the text around it.
    .next = Type it again by hand instead of copying it.
failure-password-too-short = This password is too short
    .why = Short passwords are guessed.
    .next = Use more characters. A few words do well.
failure-password-too-long = This password is too long
    .why = A password has at most 1,024 bytes.
    .next = Choose a shorter one.
failure-password-is-name = The password is the name
    .why = It would be the first guess.
    .next = Choose another.
failure-password-monotonous = This password repeats itself
    .why = It has too few different characters.
    .next = Choose one with more. A few words do well.
failure-password-busy = Many people are logging in just now
    .why = The server checks only a few passwords at a time.
    .next = Try again in a few seconds.
failure-password-damaged = This account cannot log in
    .why = Its stored password cannot be read.
    .next = Ask the administrator to set the password again.
failure-access = Your log-in is no longer valid
    .why = It expired, or it was ended.
    .next = Log in again.
failure-token-scopes = The token needs a purpose
    .why = None was chosen, so it could do nothing.
    .next = Choose at least one.
failure-right = You may not do this
    .why = Your role does not include it.
    .next = Ask the administrator if you need it.
failure-right-scope = This token may not do this
    .why = It was made for something else.
    .next = Make a token for this purpose.
failure-right-needs-login = This needs a log-in
    .why = A token cannot change accounts, log-ins or tokens.
    .next = Log in with your password.
failure-right-out-of-reach = There is nothing here for you
    .why = It does not exist, or it is not yours.
    .next = Go back to the list.

## Addresses that are not connected to

failure-egress = This address cannot be used
    .why = It does not belong to one machine of a network.
    .next = Enter the machine’s own address.
failure-egress-loopback = This address is the gateway’s own machine
    .why = Only an administrator can enter a target there.
    .next = Enter another address, or ask the administrator.
failure-egress-own-listener = This address is the gateway itself
    .why = It would connect to itself.
    .next = Enter the address of the machine that you want to see.
failure-egress-metadata = This address is never connected to
    .why = A cloud’s metadata service answers there and gives credentials away.
    .next = Enter the machine’s own address.
failure-egress-denied = This network is closed
    .why = The configuration forbids connections to it.
    .next = Ask the administrator.

## The server

failure-api-not-found = This is not here any more
    .why = It was removed, or it ended meanwhile.
    .next = Go back to the list.
failure-api-bad-request = The server did not understand this page
    .why = The page and the server are of different versions.
    .next = Load the page again.
failure-api-method = The server did not understand this page
    .why = The page and the server are of different versions.
    .next = Load the page again.
failure-api-timeout = The request did not arrive whole
    .why = The connection is slow, or broke off in the middle.
    .next = Check the connection and try again.
failure-request-host = Gatehouse does not answer under this name
    .why = The address in the browser is none of those that it was set up for.
    .next = Use the address that Gatehouse printed, or have this one added as its external address.
failure-request-origin = The request came from another site
    .why = Gatehouse takes requests only from its own pages.
    .next = Open the page at the address that Gatehouse printed.

failure-server-internal = The server failed
    .why = It met an error of its own. The cause is in its log.
    .next = Try again. If it happens again, tell the administrator the code and the time.
failure-door-full = The server takes no more sessions now
    .why = It is at its limit.
    .next = Try again in a few minutes.
failure-store = The server cannot reach its database
    .why = New sessions cannot be recorded, so none are opened. Running ones go on.
    .next = Try again in a moment. If it goes on, tell the administrator.

## People, groups, tokens

failure-people-name-taken = This name is taken
    .why = Another person or group has it. Upper and lower case do not matter.
    .next = Choose another name.
failure-people-name-invalid = This name cannot be used
    .why = It is empty, too long, or has a colon, a slash, spaces around it or characters that cannot be seen.
    .next = Choose a shorter name of letters, digits and spaces.
failure-people-text-invalid = This text cannot be kept
    .why = It is too long, or has characters that cannot be seen.
    .next = Shorten it, or type it instead of pasting it.
failure-people-not-found = This is gone
    .why = The person, group or grant does not exist, or somebody removed it.
    .next = Go back to the list.
failure-people-changed-meanwhile = Somebody else changed this
    .why = While you were editing, another administrator saved a change.
    .next = Look at what it is now, then change it again.
failure-people-last-admin = This is the last administrator
    .why = Without an administrator who can log in, nobody could change anything here.
    .next = Make somebody else an administrator first.
failure-login-gone = Your log-in could not be finished
    .why = While you logged in, your account was changed.
    .next = Log in again. If it does not work, ask an administrator.
failure-login-refresh-invalid = This program’s log-in has ended
    .why = Its refresh token is not known, too old, or its log-in was ended.
    .next = Log the program in again.
failure-login-refresh-reused = This program’s log-in was ended for safety
    .why = Its refresh token was used twice, so somebody may have copied it.
    .next = Log the program in again, and ask the administrator where the token was used from.
failure-api-token-name-invalid = This token needs another name
    .why = The name is empty, too long or has characters that cannot be seen.
    .next = Choose a shorter name.
failure-api-token-not-found = This API token is gone
    .why = It does not exist, or it was revoked before.
    .next = Go back to the list.
failure-api-token-too-many = There are too many API tokens
    .why = One person has at most 100 at a time.
    .next = Revoke one that is not used any more.
failure-target-text-invalid = These tags or this description cannot be kept
    .why = There are more than 32 tags, or one of them or the description is too long.
    .next = Shorten them.
failure-target-changed-meanwhile = Somebody else changed this target
    .why = While you were editing, its entry was changed, or a console saw its key for the first time.
    .next = Look at what it is now, then change it again.

## The audit log was tampered with

failure-audit-removed = Entries are missing in the audit log
    .why = Somebody removed them from the database.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-reordered = The audit log is not in its order
    .why = Somebody moved entries in the database.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-altered = An entry of the audit log was changed
    .why = It is not what Gatehouse wrote.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-unlinked = An entry of the audit log was replaced
    .why = It does not follow the entry before it.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-head-differs = The audit log was written anew
    .why = A signed head that was kept names another entry.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-cut = The end of the audit log is missing
    .why = It once reached further than it does now.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-tip-differs = The audit log does not end where it should
    .why = Its last entry is not the one that Gatehouse wrote last.
    .next = Compare with an export or a backup, and find out who could write to the database.
failure-audit-person-altered = A name or address in the audit log was changed
    .why = It is not the one that the entry was written with.
    .next = Compare with an export or a backup, and find out who could write to the database.

## People, rights, passwords

failure-api-rate = Too many requests
    .why = This browser or program asked more often than is allowed.
    .next = Wait a minute, then try again.
failure-login-wrong = Name or password is wrong
    .why = Gatehouse does not know them together.
    .next = Check both, then try again.
failure-password = This password cannot be used
    .why = It does not follow the rules for passwords.
    .next = Choose another one. A few words in a row are easy to remember and hard to guess.
failure-right-role = You may not do this
    .why = Your role does not have the right for it.
    .next = Ask an administrator if you need it.
failure-target-group = A group must be named
    .why = Whoever looks after groups adds targets to one of theirs.
    .next = Ask an administrator to add the target.
failure-console-protocol = This kind of console is not offered
    .why = The target speaks VNC only.
    .next = Open it as VNC.
failure-console-expires-minutes = This duration is not allowed
    .why = It is shorter or longer than the configuration allows.
    .next = Ask for less time.
failure-console-no-session = No session runs there
    .why = It ended, or it was never opened.
    .next = Open the console first.
failure-console-session-active = You have a session open there
    .why = Opening the console again would end it.
    .next = Confirm that it may end, or go on where it is open.
failure-egress-link-local = This address is not allowed
    .why = It is valid only on one piece of wire.
    .next = Enter the machine’s routable address.
failure-interface-wrong-password = Your current password is wrong
    .why = A change needs the password that you have now.
    .next = Type it again. If you forgot it, an administrator can set a new one.
