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
login-name = User name
login-password = Password
login-go = Log in
login-by-name = Log in by name
login-expired = Your log-in ended. Log in to go on where you were.
login-wrong = Name or password is wrong
login-wrong-note = Check both and try again. Upper and lower case count in the password.
login-throttled = Too many tries
login-wait = You can try again in { $time }.
login-wait-some = Wait a moment, then try again.
login-help = No password yet, or forgotten?
login-help-note = An administrator sets a new one under People. The administrator gets in with a one-time link that this command prints on the server:
password-show = Show the password
password-make = Make one
password-new = New password
password-again = The same again
password-current = Current password
password-differs = The two are not the same.
password-rule = { $count ->
    [one] At least { $count } character. A few words in a row are easy to remember and hard to guess.
   *[other] At least { $count } characters. A few words in a row are easy to remember and hard to guess.
}

welcome-title = Set up your access
welcome-note = You came in by a one-time link. Choose a name and a password, and from now on you log in with them.
welcome-username-note = This is what you type to log in.
welcome-save = Save and go on
welcome-done = You are set up
welcome-done-note = Next, tell Gatehouse which screens there are. Then let people in.
welcome-done-some = There are targets already. Open one, add your own, and let people in.
welcome-look = Look around first

user-username = User name
user-display = Name
user-display-note = What others see: “Ada Lovelace”.
users-add = Add a person
groups-add = Add a group
tokens-title = API tokens
api-docs-title = API reference

console-opening = Opening the console
open-running = You have a session open there
open-running-note = It may be in another window or on another device. Opening the console here ends it there.
open-again-note = Your session on { $name } may be in another window or on another device. Opening the console here ends it there.
open-here = Open here

targets-title = Targets
targets-add = Add target
targets-empty = No targets yet
targets-empty-note = A target is a screen that Gatehouse can open: a virtual machine, a desktop, any VNC server. Add the first one by its address.
targets-empty-command = Or on the server’s command line:
targets-none = Nothing to open yet
targets-none-note = Nobody has given you a target. Ask your administrator or teacher; it appears here as soon as they do.
targets-partial = Who uses the targets is not known now: the server did not say. Opening one asks again.
targets-search = Search targets
targets-state = Use
targets-state-all = All targets
targets-state-used = In use
targets-state-free = Free
targets-tag = Tag
targets-tag-all = All tags
targets-view = Layout
targets-cards = Cards
targets-table = Table
targets-count = { $count ->
    [one] { $count } target
   *[other] { $count } targets
}
targets-count-of = { $count ->
    [one] { $count } of { $all } targets
   *[other] { $count } of { $all } targets
}
target-console = Console
target-console-of = Console of { $name }
target-popup = Own window
target-popup-of = Console of { $name } in its own window
target-more = More for { $name }
target-details = Details
target-native = For a viewer program
target-edit = Edit
target-edit-of = Edit { $name }
target-remove = Remove
target-remove-title = Remove { $name }?
target-remove-note = { $count ->
    [0] Its address, its password and everybody’s access to it are deleted. The machine itself goes on running.
    [one] Its address, its password and everybody’s access to it are deleted, and the session on it ends now. The machine itself goes on running.
   *[other] Its address, its password and everybody’s access to it are deleted, and the { $count } sessions on it end now. The machine itself goes on running.
}
target-groups = Groups that may open it
target-gone = No such target
target-test = Test connection
target-test-card = Built-in test card
target-sessions = { $count ->
    [one] { $count } session
   *[other] { $count } sessions
}
target-number = Number
target-state = State
target-tags = Tags
target-tag-of = Only the tag { $tag }
target-tags-note = Words to find it by, with commas between them.
target-description = Description
target-seen = Security when last seen
target-unseen = Not connected yet
target-floor = Least security allowed
target-floor-note = Weaker connections are refused.
target-anonymous = Allow encryption without a certificate
target-pin = Pinned identity
target-password = Password
target-password-stored = Stored on the server
target-password-none = None
target-password-keep = One is stored. Leave this empty to keep it.
target-password-forget = Delete the stored password
target-address-changes = With another address the stored password and the pinned identity are deleted, so that they go to no other machine. Type the password again if it is the same machine.
target-created = Added
target-security = Security
target-username = User name at the VNC server
target-username-note = Only for servers that ask for one.
target-screen = Screen
target-thumbnails = Show its screen in lists
target-thumbnails-note = Whoever may open it sees a small picture of it. For that the gateway connects to it for a moment, at most every { $seconds } seconds while the list is open. Some VNC servers tell the person who works there.
target-thumbnails-on = Shown in lists
target-thumbnails-off = Not shown in lists
thumbnail-of = Screen of { $name }

native-title = { $name } in a viewer program
native-note = This opens the console once. Whoever has it gets in, so do not pass it on.
native-none = This server gives no addresses for viewer programs.
native-until = It stops working

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

## The frame of every page

shell-skip = Skip to the content
shell-nav = Main
shell-fold = Fold the navigation
nav-targets = Targets
nav-sessions = Sessions
nav-people = People
nav-audit = Audit log
nav-settings = Settings
search = Search
person-menu = You
person-settings = Profile and settings
person-password = Change password
person-until = Logged in until { $time }
log-out = Log out
log-out-failed = You are still logged in: the server did not answer. Try again.
panel-close = Close the details
copy-of = Copy: { $what }
copied = Copied.
table-actions = Actions
value-yes = Yes
value-no = No
value-empty = Nothing
action-save = Save
action-close = Close
confirm-type = Type { $name } to go on

palette-hint = Go to a target, session, person or action
palette-found = Found
palette-nothing = Nothing is found by that.
palette-places = Places
palette-actions = Actions
palette-consoles = Consoles in a window
palette-console = Open the console of { $name }
palette-dark = Dark appearance
palette-light = Light appearance

filter-nothing = Nothing fits these filters
filter-nothing-note = Change the search, or take the filters away.
filter-clear = Take the filters away
filter-kept = The list changes as you type.

conflict-title = Somebody changed this while you edited it
conflict-note = Nothing of yours was saved yet. This is what changed:
conflict-note-nothing = Nothing of yours was saved yet. What changed is not part of this form.
conflict-theirs = Now
conflict-mine = Yours
conflict-save-mine = Save my changes too
conflict-take-theirs = Discard mine

role-user = User
role-viewer = Viewer
role-analyst = Analyst
role-operator = Operator
role-admin = Administrator

## Sessions

sessions-title = Live sessions
sessions-mine = My sessions
sessions-which = Which sessions
sessions-live = Live
sessions-ended = Ended
sessions-search = Search by target, person or address
sessions-state-all = Every state
sessions-empty = Nobody is connected
sessions-empty-note = Whoever opens a console appears here at once, with what they do and how much time they have.
sessions-to-targets = To the targets
sessions-none-ended = No session has ended yet
sessions-what = Target
sessions-where = Person and address
sessions-since = Started
sessions-lasted = Lasted
sessions-rate = Rate
sessions-moved = Moved
sessions-left = Time left
sessions-why = Ended because
sessions-unlimited = No limit
sessions-not-done = Not done
sessions-count = { $count ->
    [one] { $count } session
   *[other] { $count } sessions
}
session-title = Session
session-freeze = Freeze
session-thaw = Thaw
session-freeze-of = Freeze the session of { $person } on { $name }
session-thaw-of = Thaw the session of { $person } on { $name }
session-more = More for the session of { $person } on { $name }
session-frozen-note = The screen stays visible. Nothing that is typed or pressed reaches the machine.
session-person = Person
session-from = From
session-browser = in a browser
session-native = in a viewer program
session-program = Program
session-target = Target
session-started = Started
session-ended = Ended
session-trip = Round trip
session-moved = Data
session-moved-both = { $out } to the viewer, { $in } back
session-input = Input
session-input-counts = { $keys ->
    [one] { $keys } key press
   *[other] { $keys } key presses
}, { $clipboards ->
    [one] { $clipboards } clipboard text
   *[other] { $clipboards } clipboard texts
}
session-dropped = Messages stopped by rules
session-end = End
end-title = End the session on { $name }?
end-note = The viewer loses the screen at once. The machine itself goes on running.
end-note-person = { $person } loses the screen at once. The machine itself goes on running.
end-keep = Keep it
list-more = Show more
list-limited = The first { $shown } of { $all } are listed.

policy-title = Rules of this session
policy-change = Change the rules
policy-save = Apply now
policy-clipboard-in = Copy from here to the machine
policy-clipboard-out = Copy from the machine to here
policy-files = Transfer files
policy-resize = Resize the machine’s desktop
policy-power = Shut down and restart the machine
policy-audio = Sound
policy-longest = Longest duration in minutes
policy-longest-note = Counted from the start. Empty means no limit.
policy-idle = End when nothing is typed, in minutes
policy-idle-note = Empty means never.

## People

users-title = People
users-search = Search people
users-role-all = All roles
users-state-all = Every state
users-first = So far it is only you
users-first-note = Add the others who need a screen. What they may open is chosen with each of them, or given to a group.
user-title = Person
user-role = Role
user-last = Last log-in
user-never = Never
user-created = Added
user-enabled = Active
user-disabled = Disabled
user-no-password = No password
user-username-note = What they type to log in. Letters, digits, dots and dashes.
user-password-note = Hand it over in a safe way; they can change it themselves.
user-password-set = { $name } logs in with this password from now on. It is shown only here.
user-own-role = Another administrator has to change your own role.
user-reset = Set a password
user-reset-title = Set a new password for { $name }?
user-reset-note = The old one stops working, and { $name } is logged out everywhere.
user-logout = Log out everywhere
user-logout-title = Log { $name } out everywhere?
user-logout-note = All devices have to log in again. Open consoles end.
user-disable = Disable
user-enable = Enable
user-disable-title = Disable { $name }?
user-disable-note = They are logged out at once, their open consoles end, and they cannot log in until somebody enables them again. Nothing of theirs is deleted.
user-remove = Remove
user-remove-title = Remove { $name }?
user-remove-note = They are logged out at once and cannot come back. What they did stays in the audit log under their name.
user-erase = Erase personal data
user-erase-title = Erase all personal data of { $name }?
user-erase-note = They are removed, and their name and addresses are deleted from the audit log and from sessions. The log stays verifiable and shows that somebody did these things, not who. This cannot be undone.
role-note-user = Opens the targets given to them and sees their own sessions.
role-note-viewer = Sees sessions and figures. Opens nothing.
role-note-analyst = Like a viewer, and freezes and ends sessions.
role-note-operator = Like a user, and looks after the targets and sessions of their groups.
role-note-admin = May do everything, also add people and change settings.
saved = Saved.

groups-title = Groups
groups-search = Search groups
groups-empty = No groups yet
groups-empty-note = A group gives its members the same targets: a class, a team, a shift. One of them can look after it.
group-title = Group
group-members = Members
group-no-members = Nobody is in this group.
group-no-targets = This group opens no target yet.
group-operator = Looks after it
group-operator-of = { $name } looks after this group
group-operator-note = Who looks after a group and has the role of an operator sees its sessions and manages its targets.
group-add-member = Add a member
group-remove-member = Take { $name } out of the group
group-add-target = Add a target
group-remove-target = Take { $name } away from the group
group-entry = Name and description
group-remove = Remove the group
group-remove-title = Remove the group { $name }?
group-remove-note = Its members lose the targets that they have only through it, and their sessions there end. Nobody and no target is deleted.
action-add = Add

## Audit

audit-title = Audit log
audit-verify = Verify
audit-export = Export
audit-action = Kind
audit-action-all = Everything
audit-everybody = Show everybody
audit-when = When
audit-who = Who
audit-subject = Subject
audit-object = Object
audit-code = Code
audit-detail = Details
audit-hash = Link of the chain
audit-erased = Erased
audit-entry = Entry { $number }
audit-empty = Nothing is recorded yet
audit-empty-note = Log-ins, consoles, sessions and every change by an administrator are written here, in a chain that shows whether anything was removed.
audit-good = The log is whole
audit-good-note = { $count ->
    [one] { $count } entry was checked: nothing is missing, changed or out of order.
   *[other] { $count } entries were checked: nothing is missing, changed or out of order.
}
audit-broken = The log was tampered with at entry { $number }
audit-broken-note = Entries were removed, changed or put in another order. Keep a copy of the database as it is, and compare it with the signed heads that were sent elsewhere.
audit-area-login = Log-ins
audit-area-grant = Access given
audit-area-console = Consoles
audit-area-session = Sessions
audit-area-user = People
audit-area-group = Groups
audit-area-target = Targets
audit-area-token = API tokens

## Profile, tokens, server

profile-title = Profile
profile-you = You
profile-operates = You look after it
profile-password-note = All other devices are logged out.
profile-password-done = Your password is changed.
profile-devices = Where you are logged in

tokens-note = A program that uses the API on your behalf needs a token. It may never do more than you may. How the API works:
tokens-empty = You have no API tokens.
tokens-add = Make a token
tokens-name-note = What it is for, so that you know later.
tokens-scopes = What it may do
tokens-scopes-note = Never more than you may yourself.
scope-read = Read lists and states
scope-console = Open consoles
scope-operate = Freeze, end and change sessions
scope-admin = Manage people, groups and targets
tokens-expires = Works for
tokens-days = { $count ->
    [one] { $count } day
   *[other] { $count } days
}
tokens-forever = No end
tokens-ends = Ends
tokens-used = Last used
tokens-never = Never
tokens-made = This is the token “{ $name }”
tokens-made-note = Copy it now: it is shown only this once. If it is lost, revoke it and make another.
tokens-kept = I have it
tokens-revoke = Revoke
tokens-revoke-of = Revoke the token { $name }
tokens-revoke-title = Revoke the token { $name }?
tokens-revoke-note = Programs that use it are refused at once. It cannot be brought back.

server-title = Server
server-note = These values come from the configuration file, the environment or the program’s defaults, and are changed there. A restart puts them into effect.
server-version = Version
server-uptime = Running for

api-docs-note = Everything that this interface does can be done by a program. Log in with a token from “API tokens” as Authorization: Bearer.
api-docs-download = OpenAPI file
api-docs-search = Search operations
api-docs-parameters = Parameters
api-docs-body = Request body
api-docs-answers = Answers
api-docs-required = required
welcome-later = Not now
native-address = Address
native-password = Password, once
native-short = Short password for old programs
native-own = Or give the user name { $name } and your own password, as often as you like.
own-targets = Targets of their own
own-targets-none = None beside those of their groups.
own-target-until = ends
own-target-view-only = View-only on { $name }
own-target-remove = Take { $name } away
group-changed = Changed
profile-devices-note = Every device on which you logged in has to log in again, this one too. Your open consoles end.
profile-logout-title = Log out everywhere?
profile-logout-note = All your devices, this one too, have to log in again. Your open consoles end.
server-where = Where it is set up
audit-heads = { $count ->
    [0] No signed head yet.
    [one] The chain leads through { $count } signed head.
   *[other] The chain leads through { $count } signed heads.
}
audit-login-done = Logged in
audit-login-refused = Log-in refused
audit-login-ended = Logged out
audit-login-all-ended = Logged out everywhere
audit-login-refresh-reused = Refresh token used twice
audit-login-link-issued = One-time link made
audit-user-added = Person added
audit-user-changed = Person changed
audit-user-disabled = Person disabled
audit-user-enabled = Person enabled
audit-user-password-set = Password set
audit-user-removed = Person removed
audit-user-erased = Personal data erased
audit-group-added = Group added
audit-group-changed = Group changed
audit-group-removed = Group removed
audit-group-member-set = Member added or changed
audit-group-member-removed = Member taken out
audit-group-target-set = Target given to a group
audit-group-target-removed = Target taken from a group
audit-grant-set = Target given to a person
audit-grant-removed = Target taken from a person
audit-target-added = Target added
audit-target-changed = Target changed
audit-target-removed = Target removed
audit-target-tested = Connection tested
audit-thumbnail-shown = Screen seen in a list
audit-token-added = API token made
audit-token-revoked = API token revoked
audit-console-granted = Console granted
audit-console-refused = Console refused
audit-session-started = Session started
audit-session-extended = Session extended
audit-session-frozen = Session frozen
audit-session-thawed = Session thawed
audit-session-policy-set = Session rules changed
audit-session-ended = Session ended
audit-setting-changed = Setting changed
audit-audit-exported = Log exported
audit-secret-rotated = Key replaced
