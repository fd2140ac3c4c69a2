### Words of the interface: everything but failures and the console.

loading = Loading

action-try-again = Try again
action-reload = Load the page again
action-to-list = Back to the list
action-cancel = Cancel
action-copy = Copy
print-expected = Fingerprint that was pinned
print-presented = Fingerprint that is shown now

preferences = Language and appearance
preferences-language = Language
preferences-digits = Digits
preferences-digits-western = 0 1 2 3 (Western)
preferences-digits-arabic = ٠ ١ ٢ ٣ (Arabic)
preferences-theme = Appearance
preferences-theme-system = As the system
preferences-theme-light = Light
preferences-theme-dark = Dark

login-title = Log in
login-working = Logging you in
login-working-note = The link is being checked. This takes a moment.

targets-title = Targets
targets-add = Add target
targets-empty = No targets yet
targets-empty-note = A target is a screen that Gatehouse can open: a virtual machine, a desktop, any VNC server. Add the first one by its address.
targets-empty-command = Or on the server’s command line:
target-console = Console
target-console-of = Console of { $name }
target-test = Test
target-test-of = Test the connection to { $name }
target-test-card = Built-in test card
target-sessions = { $count ->
    [one] { $count } session
   *[other] { $count } sessions
}

strength-open = No password, not encrypted
strength-authenticated = Password, not encrypted
strength-encrypted-anonymous = Encrypted, identity not known
strength-encrypted-verified = Encrypted, identity verified

test-good = The connection works
test-desktop = Desktop
test-size = Size
test-security = Security type
test-identity = Identity (SHA-256)
test-pinned = This identity is pinned now: any other will be refused.

stale-offline = You are offline.
stale-no-answer = The server does not answer.
stale-since = Last updated { $ago }.

add-title = Add a target
add-name = Name
add-address = Address
add-address-note = Host and port of the VNC server.
add-password = Password of the VNC server
add-password-note = Stays on the server. People who open the console never see it. Leave it empty if there is none.
add-save = Add target

sessions-title = Live sessions
sessions-empty = Nobody is connected.
session-end = End
session-end-of = End the session on { $name }
end-title = End the session on { $name }?
end-note = The viewer loses the screen at once. The machine itself goes on running.
end-note-person = { $person } loses the screen at once. The machine itself goes on running.
end-keep = Keep it
