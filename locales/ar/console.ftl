### كلمات صفحة وحدة التحكم.

console-title = وحدة التحكم
console-unnamed = جهاز
console-screen-of = شاشة { $name }
console-help = كل ما تكتبه يصل إلى الجهاز. اضغط Ctrl وAlt وShift وB معًا للانتقال إلى الشريط والعودة منه.
console-bar = شريط وحدة التحكم
console-show-bar = إظهار الشريط
console-connecting = جارٍ الاتصال بـ { $name }
console-connecting-again = جارٍ الاتصال من جديد
console-reconnecting = انقطع الاتصال، وجارٍ إعادته
console-attempt = المحاولة { $attempt } من { $of }. ما تراه هو آخر صورة وصلت.
console-offline = أنت غير متصل بالشبكة
console-offline-note = تعود وحدة التحكم تلقائيًا عند عودة الشبكة.
console-frozen = هذه الجلسة مجمّدة: ترى الشاشة، لكن ما تكتبه لا يصل إليها.
console-open-again = فتح من جديد
console-leave = إنهاء الجلسة
console-trip = { $ms } م.ث
console-trip-note = زمن الذهاب إلى البوابة والعودة منها
console-left-note = الوقت المتبقي لهذه الجلسة
console-extend = تمديد
console-extended = بقي لهذه الجلسة الآن { $time }.
console-extend-failed = تعذّر تمديد الجلسة. أعد المحاولة.
console-ending = يوشك وقت هذه الجلسة أن ينتهي.
console-ending-last = ستنتهي هذه الجلسة قريبًا، ولا يمكن تمديدها.
console-close-window = إغلاق النافذة
rules-changed = تغيّرت قواعد هذه الجلسة، وتجدها في «المزيد».
others-joined = { $person } على هذه الشاشة الآن أيضًا.
others-left = لم تعد هذه الشاشة مفتوحة لدى { $person }.

pill-connecting = جارٍ الاتصال
pill-connected = متصلة
pill-slow = بطيئة
pill-reconnecting = جارٍ إعادة الاتصال
pill-frozen = مجمّدة
pill-ended = منتهية

keys = مفاتيح خاصة
keys-hold = إبقاء المفتاح مضغوطًا
keys-held = يوجد مفتاح مضغوط
keys-left = سهم لليسار
keys-up = سهم للأعلى
keys-right = سهم لليمين
keys-down = سهم للأسفل
keys-space = مسافة
keys-view-only = المفاتيح معطّلة لأن الكتابة غير متاحة هنا الآن.
keyboard = لوحة مفاتيح على الشاشة
keyboard-close = إغلاق لوحة المفاتيح
keyboard-to-arabic = حروف عربية
keyboard-to-english = حروف إنجليزية
touch-typing = لوحة المفاتيح

clipboard = الحافظة
clipboard-text = النص
clipboard-waiting = نُسخ نص جديد على الجهاز
clipboard-send = إرسال إلى الجهاز
clipboard-type = كتابته بالمفاتيح
clipboard-copy = نسخ
clipboard-sent = أُرسل النص، ويمكنك لصقه الآن على الجهاز.
clipboard-typed = كُتب النص.
clipboard-copied = نُسخ النص إلى حافظتك.
clipboard-lossy = لا تقبل حافظة هذا الجهاز سوى حروف أوروبا الغربية. قد ينجح خيار «كتابته بالمفاتيح».
clipboard-view-only = لا يمكن إرسال شيء في جلسة للمشاهدة فقط.
clipboard-no-in = لا تسمح قواعد هذه الجلسة بنسخ النص من هنا إلى الجهاز.
clipboard-no-way = لا تسمح قواعد هذه الجلسة بنسخ النص إلى الجهاز ولا منه.
clipboard-no-out = لا تسمح قواعد هذه الجلسة بنسخ النص من الجهاز إلى هنا.
clipboard-sharing-automatic = الحافظتان متزامنتان تلقائيًا.
clipboard-sharing-ask = يستطيع متصفحك مزامنة الحافظتين إن سمحت له بذلك.
clipboard-sharing-manual = متصفحك لا يشارك حافظته مع هذه الصفحة. ألصق النص هنا ثم أرسله.
clipboard-allow = السماح بالمشاركة

view = العرض
view-only = للمشاهدة فقط
view-only-forced = حدّدها من منحك وحدة التحكم هذه.
view-size = مقاس الشاشة
view-scale = ملاءمة النافذة
view-original = المقاس الأصلي (1:1)
view-resize = تغيير دقة شاشة الجهاز
view-resize-off = غير متاح على هذا الجهاز.
view-drag = تحريك العرض بالسحب
view-quality = جودة الصورة
view-quality-value = { $level } من 9
view-quality-fast = أسرع
view-quality-sharp = أوضح
view-full = ملء الشاشة
view-full-leave = الخروج من ملء الشاشة

more = المزيد
more-state = الحالة
more-trip = زمن الذهاب والإياب
more-left = الوقت المتبقي
more-bar = إلى الشريط ومنه
more-others = من غيرك هنا
more-alone = لا أحد غيرك هنا.
more-somebody = شخص دخل برابط
more-others-count = { $count ->
    [zero] لا أحد غيرك هنا
    [one] شخص آخر هنا
    [two] شخصان آخران هنا
    [few] { $count } أشخاص آخرين هنا
    [many] { $count } شخصًا آخر هنا
   *[other] { $count } شخص آخر هنا
}
rule-input = الكتابة واستخدام المؤشر
rule-idle = مهلة الخمول قبل انتهاء الجلسة: { $time }
rule-yes = مسموح
rule-no = غير مسموح
