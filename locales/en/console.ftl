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

pill-connecting = Connecting
pill-connected = Connected
pill-slow = Slow
pill-reconnecting = Reconnecting
pill-frozen = Frozen
pill-ended = Ended

keys = Keys
keys-hold = Hold down
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
clipboard-send = Send to machine
clipboard-type = Type as keys
clipboard-copy = Copy
clipboard-sent = Sent. Paste it on the machine.
clipboard-typed = Typed.
clipboard-copied = Copied to your clipboard.
clipboard-lossy = This machine’s clipboard takes Western European letters only. “Type as keys” may still work.
clipboard-view-only = In a view-only session nothing can be sent.
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
