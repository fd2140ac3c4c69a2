### Words of the console page.

console-title = Console
console-unnamed = Machine
console-screen-of = Screen of { $name }
console-help = Everything you type goes to the machine. Press Ctrl, Alt, Shift and B together to reach the bar and to come back.
console-bar = Console
console-show-bar = Show the bar
console-connecting = Connecting to { $name }
console-connecting-again = Connecting again
console-reconnecting = The connection broke, reconnecting
console-attempt = Try { $attempt } of { $of }. What you see is the last picture.
console-offline = You are offline
console-offline-note = The console comes back by itself when the network does.
console-frozen = This session is frozen: you see the screen, and nothing you type reaches it.
console-open-again = Open again
console-leave = End the session
console-trip = { $ms } ms
console-trip-note = Time from here to the gateway and back
console-left-note = Time left in this session
console-extend = Extend
console-extended = This session has { $time } left now.
console-extend-failed = The session could not be extended. Try again.
console-ending = The time of this session is running out.
console-ending-last = This session ends soon. It cannot be extended.
console-close-window = Close the window
rules-changed = The rules of this session changed. They are under “More”.
others-joined = { $person } is here too now.
others-left = { $person } is no longer here.

pill-connecting = Connecting
pill-connected = Connected
pill-slow = Slow
pill-reconnecting = Reconnecting
pill-frozen = Frozen
pill-ended = Ended

keys = Keys
keys-hold = Hold down
keys-held = A key is held down
keys-left = Left arrow
keys-up = Up arrow
keys-right = Right arrow
keys-down = Down arrow
keys-space = Space
keys-view-only = Keys are off while nothing may be typed here.
keyboard = On-screen keyboard
keyboard-close = Close the keyboard
keyboard-to-arabic = Arabic letters
keyboard-to-english = English letters
touch-typing = Keyboard

clipboard = Clipboard
clipboard-text = Text
clipboard-waiting = The machine copied something
clipboard-send = Send to machine
clipboard-type = Type as keys
clipboard-copy = Copy
clipboard-sent = Sent. Paste it on the machine.
clipboard-typed = Typed.
clipboard-copied = Copied to your clipboard.
clipboard-lossy = This machine’s clipboard takes Western European letters only. “Type as keys” may still work.
clipboard-view-only = In a view-only session nothing can be sent.
clipboard-no-in = The rules of this session let no text from here into the machine.
clipboard-no-way = The rules of this session let no text in or out of the machine.
clipboard-no-out = The rules of this session let no text out of the machine.
clipboard-sharing-automatic = The two clipboards follow each other.
clipboard-sharing-ask = Your browser can keep the two clipboards alike if you allow it.
clipboard-sharing-manual = Your browser does not share its clipboard with this page. Paste here, then send.
clipboard-allow = Allow sharing

view = View
view-only = View-only
view-only-forced = Set by whoever gave you this console.
view-size = Size of the screen
view-scale = Fit to the window
view-original = Original size (1:1)
view-resize = Resize the machine’s desktop
view-resize-off = Not available on this machine.
view-drag = Move the view by dragging
view-quality = Picture quality
view-quality-value = { $level } of 9
view-quality-fast = Fast
view-quality-sharp = Sharp
view-full = Full screen
view-full-leave = Leave full screen

more = More
more-state = State
more-trip = Round trip
more-left = Time left
more-bar = To the bar and back
more-others = Who else is here
more-alone = Nobody else is here.
more-somebody = Somebody with a link
more-others-count = { $count ->
    [one] { $count } other person is here
   *[other] { $count } other people are here
}
rule-input = Type and use the pointer
rule-idle = Time without input before the session ends: { $time }
rule-yes = Allowed
rule-no = Not allowed
