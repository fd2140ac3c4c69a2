### كلمات الواجهة عدا حالات الفشل ووحدة التحكم.

loading = جارٍ التحميل

action-try-again = إعادة المحاولة
action-reload = إعادة تحميل الصفحة
action-to-list = العودة إلى القائمة
action-cancel = إلغاء
action-copy = نسخ
print-expected = البصمة المعتمدة
print-presented = البصمة المعروضة الآن

preferences = اللغة والمظهر
preferences-language = اللغة
preferences-digits = الأرقام
preferences-digits-western = 0 1 2 3 (غربية)
preferences-digits-arabic = ٠ ١ ٢ ٣ (عربية مشرقية)
preferences-theme = المظهر
preferences-theme-system = حسب إعداد النظام
preferences-theme-light = فاتح
preferences-theme-dark = داكن

login-title = تسجيل الدخول
login-working = جارٍ تسجيل دخولك
login-working-note = نتحقق من الرابط، ولن يستغرق ذلك سوى لحظات.
login-name = اسم المستخدم
login-password = كلمة المرور
login-go = تسجيل الدخول
login-by-name = الدخول باسم المستخدم
login-expired = انتهت مدة دخولك. سجّل الدخول لتتابع من حيث كنت.
login-wrong = اسم المستخدم أو كلمة المرور غير صحيحة
login-wrong-note = تحقق منهما وأعد المحاولة. انتبه إلى الحروف الكبيرة والصغيرة في كلمة المرور.
login-throttled = محاولات كثيرة جدًا
login-wait = المدة المتبقية قبل المحاولة التالية: { $time }.
login-wait-some = انتظر قليلًا ثم أعد المحاولة.
login-help = لا كلمة مرور لديك، أو نسيتها؟
login-help-note = يعيّن لك مدير النظام كلمة مرور جديدة من صفحة الأشخاص. أما المدير فيدخل برابط يُستخدم مرة واحدة، يطبعه هذا الأمر على الخادم:
password-show = إظهار كلمة المرور
password-make = توليد كلمة مرور
password-new = كلمة المرور الجديدة
password-again = كلمة المرور الجديدة مرة أخرى
password-current = كلمة المرور الحالية
password-differs = كلمتا المرور غير متطابقتين.
password-rule = { $count ->
    [zero] بلا حد أدنى. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
    [one] حرف واحد على الأقل. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
    [two] حرفان على الأقل. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
    [few] { $count } أحرف على الأقل. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
    [many] { $count } حرفًا على الأقل. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
   *[other] { $count } حرف على الأقل. بضع كلمات متتالية يسهل تذكرها ويصعب تخمينها.
}

welcome-title = إعداد دخولك
welcome-note = دخلت برابط يُستخدم مرة واحدة. اختر اسمًا وكلمة مرور لتسجّل الدخول بهما من الآن فصاعدًا.
welcome-username-note = هذا ما تكتبه عند تسجيل الدخول.
welcome-save = حفظ ومتابعة
welcome-done = صار كل شيء جاهزًا
welcome-done-note = الخطوة التالية أن تعرّف Gatehouse بالشاشات المتاحة، ثم أن تسمح للآخرين بالدخول.
welcome-done-some = توجد وجهات بالفعل. افتح إحداها، أو أضف وجهاتك، ثم اسمح للآخرين بالدخول.
welcome-look = إلقاء نظرة أولًا

user-username = اسم المستخدم
user-display = الاسم
user-display-note = ما يراه الآخرون، مثل «ليلى العمري».
users-add = إضافة شخص
groups-add = إضافة مجموعة
tokens-title = رموز الوصول
api-docs-title = مرجع الواجهة البرمجية

console-opening = جارٍ فتح وحدة التحكم
open-running = لديك جلسة مفتوحة هناك
open-running-note = قد تكون في نافذة أخرى أو على جهاز آخر. فتح وحدة التحكم هنا ينهيها هناك.
open-again-note = قد تكون جلستك على { $name } في نافذة أخرى أو على جهاز آخر. فتح وحدة التحكم هنا ينهيها هناك.
open-here = فتح هنا

targets-title = الوجهات
targets-add = إضافة وجهة
targets-empty = لا توجد وجهات بعد
targets-empty-note = الوجهة شاشة يستطيع Gatehouse فتحها: جهاز افتراضي أو سطح مكتب أو أي خادم VNC. أضف أول وجهة بعنوانها.
targets-empty-command = أو من سطر الأوامر على الخادم:
targets-none = لا شيء لتفتحه بعد
targets-none-note = لم تُمنح أي وجهة حتى الآن. اسأل مدير النظام أو معلمك، وستظهر هنا حال منحك إياها.
targets-partial = لا يُعرف الآن من يستخدم الوجهات، فالخادم لم يُجب. يُسأل من جديد عند فتح إحداها.
targets-search = البحث في الوجهات
targets-state = الاستخدام
targets-state-all = كل الوجهات
targets-state-used = قيد الاستخدام
targets-state-free = متاحة
targets-tag = الوسم
targets-tag-all = كل الوسوم
targets-view = طريقة العرض
targets-cards = بطاقات
targets-table = جدول
targets-count = { $count ->
    [zero] لا وجهات
    [one] وجهة واحدة
    [two] وجهتان
    [few] { $count } وجهات
    [many] { $count } وجهة
   *[other] { $count } وجهة
}
targets-count-of = { $count ->
    [zero] لا شيء من أصل { $all }
    [one] وجهة واحدة من أصل { $all }
    [two] وجهتان من أصل { $all }
    [few] { $count } وجهات من أصل { $all }
    [many] { $count } وجهة من أصل { $all }
   *[other] { $count } وجهة من أصل { $all }
}
target-console = وحدة التحكم
target-console-of = فتح وحدة التحكم في { $name }
target-popup = نافذة مستقلة
target-popup-of = فتح وحدة التحكم في { $name } في نافذة مستقلة
target-more = المزيد عن { $name }
target-details = التفاصيل
target-native = لبرنامج العرض
target-edit = تعديل
target-edit-of = تعديل { $name }
target-remove = إزالة
target-remove-title = إزالة { $name }؟
target-remove-note = { $count ->
    [zero] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، أما الجهاز نفسه فيواصل العمل.
    [one] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، وتنتهي الآن الجلسة الجارية عليها. أما الجهاز نفسه فيواصل العمل.
    [two] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، وتنتهي الآن الجلستان الجاريتان عليها. أما الجهاز نفسه فيواصل العمل.
    [few] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، وتنتهي الآن { $count } جلسات جارية عليها. أما الجهاز نفسه فيواصل العمل.
    [many] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، وتنتهي الآن { $count } جلسة جارية عليها. أما الجهاز نفسه فيواصل العمل.
   *[other] سيُحذف عنوانها وكلمة مرورها وصلاحيات الجميع عليها، وتنتهي الآن { $count } جلسة جارية عليها. أما الجهاز نفسه فيواصل العمل.
}
target-groups = المجموعات التي يحق لها فتحها
target-gone = لا توجد وجهة كهذه
target-test = اختبار الاتصال
target-test-card = شاشة اختبار مدمجة
target-sessions = { $count ->
    [zero] لا جلسات
    [one] جلسة واحدة
    [two] جلستان
    [few] { $count } جلسات
    [many] { $count } جلسة
   *[other] { $count } جلسة
}
target-number = الرقم
target-state = الحالة
target-tags = الوسوم
target-tag-of = الوسم { $tag } فقط
target-tags-note = كلمات تُعرف بها الوجهة عند البحث، تفصل بينها فواصل.
target-description = الوصف
target-seen = الحماية عند آخر اتصال
target-unseen = لم يُجرَ أي اتصال بعد
target-floor = أدنى حماية مسموح بها
target-floor-note = تُرفض الاتصالات الأضعف منها.
target-anonymous = السماح بالتشفير دون شهادة
target-pin = الهوية المعتمدة
target-password = كلمة المرور
target-password-stored = محفوظة على الخادم
target-password-none = لا توجد
target-password-keep = هناك كلمة مرور محفوظة. اترك الحقل فارغًا للإبقاء عليها.
target-password-forget = حذف كلمة المرور المحفوظة
target-address-changes = عند تغيير العنوان تُحذف كلمة المرور المحفوظة والهوية المعتمدة كي لا تصلا إلى جهاز آخر. إن كان الجهاز نفسه فأدخل كلمة المرور من جديد.
target-created = أُضيفت
target-security = الحماية
target-username = اسم المستخدم لدى خادم VNC
target-username-note = للخوادم التي تطلبه فقط.
target-screen = الشاشة
target-thumbnails = عرض شاشتها في القوائم
target-thumbnails-note = يرى صورة مصغّرة منها كل من يحق له فتحها. ولأخذ الصورة تتصل البوابة بها لحظةً، مرة كل { $seconds } ثانية على الأكثر ما دامت القائمة مفتوحة. وبعض خوادم VNC تُخبر من يعمل عليها بذلك.
target-thumbnails-on = تظهر في القوائم
target-thumbnails-off = لا تظهر في القوائم
thumbnail-of = شاشة { $name }

native-title = فتح { $name } في برنامج العرض
native-note = يفتح هذا وحدة التحكم مرة واحدة، ويدخل به كل من يملكه، فلا تعطه أحدًا.
native-none = لا يوفر هذا الخادم عناوين لبرامج العرض.
native-until = يتوقف عن العمل

strength-open = بلا كلمة مرور ودون تشفير
strength-authenticated = بكلمة مرور ودون تشفير
strength-encrypted-anonymous = اتصال مشفّر والهوية مجهولة
strength-encrypted-verified = اتصال مشفّر والهوية موثوقة

test-good = الاتصال يعمل
test-desktop = سطح المكتب
test-size = المقاس
test-security = نوع الحماية
test-identity = الهوية (SHA-256)
test-pinned = اعتُمدت هذه الهوية، وسيُرفض كل ما عداها.

stale-offline = أنت غير متصل بالشبكة.
stale-no-answer = الخادم لا يستجيب.
stale-since = آخر تحديث { $ago }.

add-title = إضافة وجهة
add-name = الاسم
add-address = العنوان
add-address-note = اسم مضيف خادم VNC أو عنوانه مع رقم المنفذ.
add-password = كلمة مرور خادم VNC
add-password-note = تبقى محفوظة على الخادم ولا يراها من يفتح وحدة التحكم. اترك الحقل فارغًا إن لم تكن هناك كلمة مرور.
add-save = إضافة الوجهة

## إطار كل صفحة

shell-skip = الانتقال إلى المحتوى
shell-nav = التنقل الرئيسي
shell-fold = طي شريط التنقل
nav-targets = الوجهات
nav-sessions = الجلسات
nav-people = الأشخاص
nav-audit = سجل التدقيق
nav-settings = الإعدادات
search = بحث
person-menu = حسابك
person-settings = الملف الشخصي والإعدادات
person-password = تغيير كلمة المرور
person-until = دخولك صالح حتى { $time }
log-out = تسجيل الخروج
log-out-failed = لم تسجّل الخروج بعد، فالخادم لم يستجب. أعد المحاولة.
panel-close = إغلاق التفاصيل
copy-of = نسخ: { $what }
copied = تم النسخ.
table-actions = الإجراءات
value-yes = نعم
value-no = لا
value-empty = لا شيء
action-save = حفظ
action-close = إغلاق
confirm-type = اكتب { $name } للمتابعة

palette-hint = انتقل إلى وجهة أو جلسة أو شخص أو إجراء
palette-found = النتائج
palette-nothing = لا نتائج لهذا البحث.
palette-places = الصفحات
palette-actions = الإجراءات
palette-consoles = وحدات التحكم في نافذة مستقلة
palette-console = فتح وحدة التحكم في { $name }
palette-dark = المظهر الداكن
palette-light = المظهر الفاتح

filter-nothing = لا شيء يوافق عوامل التصفية
filter-nothing-note = عدّل عبارة البحث أو أزل عوامل التصفية.
filter-clear = إزالة عوامل التصفية
filter-kept = تتغير القائمة أثناء الكتابة.

conflict-title = غيّر شخص آخر هذه البيانات أثناء تحريرك لها
conflict-note = لم يُحفظ شيء من تعديلاتك بعد. هذا ما تغيّر:
conflict-note-nothing = لم يُحفظ شيء من تعديلاتك بعد. ما تغيّر ليس جزءًا من هذا النموذج.
conflict-theirs = الآن
conflict-mine = تعديلك
conflict-save-mine = حفظ تعديلاتي معها
conflict-take-theirs = تجاهل تعديلاتي

role-user = مستخدم
role-viewer = مُشاهد
role-analyst = محلل
role-operator = مشغّل
role-admin = مدير

## الجلسات

sessions-title = الجلسات الجارية
sessions-mine = جلساتي
sessions-which = أي الجلسات
sessions-live = جارية
sessions-ended = منتهية
sessions-search = البحث بالوجهة أو الشخص أو العنوان
sessions-state-all = كل الحالات
sessions-empty = لا أحد متصل الآن
sessions-empty-note = يظهر هنا فورًا كل من يفتح وحدة تحكم، مع ما يفعله والوقت المتبقي له.
sessions-to-targets = إلى الوجهات
sessions-none-ended = لم تنته أي جلسة بعد
sessions-what = الوجهة
sessions-where = الشخص والعنوان
sessions-since = بدأت
sessions-lasted = المدة
sessions-rate = المعدل
sessions-moved = البيانات
sessions-left = الوقت المتبقي
sessions-why = سبب الانتهاء
sessions-unlimited = بلا حد
sessions-not-done = لم يُنفَّذ
sessions-count = { $count ->
    [zero] لا جلسات
    [one] جلسة واحدة
    [two] جلستان
    [few] { $count } جلسات
    [many] { $count } جلسة
   *[other] { $count } جلسة
}
session-title = جلسة
session-freeze = تجميد
session-thaw = إلغاء التجميد
session-freeze-of = تجميد جلسة { $person } على { $name }
session-thaw-of = إلغاء تجميد جلسة { $person } على { $name }
session-more = المزيد عن جلسة { $person } على { $name }
session-frozen-note = تبقى الشاشة ظاهرة، ولا يصل إلى الجهاز شيء مما يُكتب أو يُضغط.
session-person = الشخص
session-from = من
session-browser = عبر المتصفح
session-native = عبر برنامج العرض
session-program = البرنامج
session-target = الوجهة
session-started = بدأت
session-ended = انتهت
session-trip = زمن الذهاب والإياب
session-moved = البيانات
session-moved-both = { $out } إلى المُشاهد و{ $in } منه
session-input = الإدخال
session-input-counts = { $keys ->
    [zero] لا ضغطات مفاتيح
    [one] ضغطة مفتاح واحدة
    [two] ضغطتا مفتاح
    [few] { $keys } ضغطات مفاتيح
    [many] { $keys } ضغطة مفتاح
   *[other] { $keys } ضغطة مفتاح
}، { $clipboards ->
    [zero] ولا شيء عبر الحافظة
    [one] ونص واحد عبر الحافظة
    [two] ونصان عبر الحافظة
    [few] و{ $clipboards } نصوص عبر الحافظة
    [many] و{ $clipboards } نصًا عبر الحافظة
   *[other] و{ $clipboards } نص عبر الحافظة
}
session-dropped = رسائل أوقفتها القواعد
session-end = إنهاء
end-title = إنهاء الجلسة على { $name }؟
end-note = ستنقطع الشاشة عن المُشاهد فورًا، أما الجهاز نفسه فيواصل العمل.
end-note-person = ستنقطع الشاشة فورًا عن { $person }، أما الجهاز نفسه فيواصل العمل.
end-keep = الإبقاء عليها
list-more = عرض المزيد
list-limited = هذه أول { $shown } من أصل { $all }.

policy-title = قواعد هذه الجلسة
policy-change = تغيير القواعد
policy-save = تطبيق الآن
policy-clipboard-in = النسخ من هنا إلى الجهاز
policy-clipboard-out = النسخ من الجهاز إلى هنا
policy-files = نقل الملفات
policy-resize = تغيير دقة شاشة الجهاز
policy-power = إيقاف تشغيل الجهاز وإعادة تشغيله
policy-audio = الصوت
policy-longest = أطول مدة بالدقائق
policy-longest-note = تُحسب من بداية الجلسة. اترك الحقل فارغًا لعدم وضع حد.
policy-idle = الإنهاء عند التوقف عن الكتابة، بالدقائق
policy-idle-note = اترك الحقل فارغًا كي لا تنتهي أبدًا لهذا السبب.

## الأشخاص

users-title = الأشخاص
users-search = البحث عن شخص
users-role-all = كل الأدوار
users-state-all = كل الحالات
users-first = أنت وحدك هنا حتى الآن
users-first-note = أضف من يحتاجون إلى شاشة. أما ما يستطيعون فتحه فيُمنح لكل منهم على حدة أو لمجموعة كاملة.
user-title = شخص
user-role = الدور
user-last = آخر دخول
user-never = لم يدخل بعد
user-created = أُضيف
user-enabled = مفعّل
user-disabled = معطّل
user-no-password = بلا كلمة مرور
user-username-note = ما يكتبه عند تسجيل الدخول: حروف وأرقام ونقاط وشرطات.
user-password-note = سلّمها إليه بوسيلة آمنة، ويمكنه تغييرها بنفسه.
user-password-set = يدخل { $name } بكلمة المرور هذه من الآن فصاعدًا، وهي لا تظهر إلا هنا.
user-own-role = لا يغيّر دورك إلا مدير آخر.
user-reset = تعيين كلمة مرور
user-reset-title = تعيين كلمة مرور جديدة للحساب { $name }؟
user-reset-note = تتوقف كلمة المرور القديمة عن العمل، ويُسجَّل خروج { $name } من كل الأجهزة.
user-logout = تسجيل الخروج من كل الأجهزة
user-logout-title = تسجيل خروج { $name } من كل الأجهزة؟
user-logout-note = يلزم تسجيل الدخول من جديد على كل الأجهزة، وتنتهي وحدات التحكم المفتوحة.
user-disable = تعطيل
user-enable = تفعيل
user-disable-title = تعطيل حساب { $name }؟
user-disable-note = يُسجَّل خروجه فورًا وتنتهي وحدات التحكم المفتوحة لديه، ولا يستطيع الدخول حتى يُفعَّل حسابه من جديد. لا يُحذف شيء من بياناته.
user-remove = إزالة
user-remove-title = إزالة { $name }؟
user-remove-note = يُسجَّل خروجه فورًا ولا يستطيع العودة. يبقى ما فعله في سجل التدقيق باسمه.
user-erase = محو البيانات الشخصية
user-erase-title = محو كل البيانات الشخصية التي تخص { $name }؟
user-erase-note = يُزال الحساب، ويُحذف اسمه وعناوينه من سجل التدقيق ومن الجلسات. يبقى السجل قابلًا للتحقق، ويُظهر أن شخصًا ما فعل ذلك دون أن يُظهر من هو. لا يمكن التراجع عن هذا.
role-note-user = يفتح الوجهات الممنوحة له ويرى جلساته.
role-note-viewer = يرى الجلسات والأرقام ولا يفتح شيئًا.
role-note-analyst = كالمُشاهد، ويجمّد الجلسات وينهيها أيضًا.
role-note-operator = كالمستخدم، ويشرف على وجهات مجموعاته وجلساتها أيضًا.
role-note-admin = يستطيع كل شيء، بما في ذلك إضافة الأشخاص وتغيير الإعدادات.
saved = تم الحفظ.

groups-title = المجموعات
groups-search = البحث عن مجموعة
groups-empty = لا توجد مجموعات بعد
groups-empty-note = تمنح المجموعة أعضاءها الوجهات نفسها: صف دراسي أو فريق أو مناوبة، ويستطيع أحدهم أن يشرف عليها.
group-title = مجموعة
group-members = الأعضاء
group-no-members = لا أحد في هذه المجموعة.
group-no-targets = لا تفتح هذه المجموعة أي وجهة بعد.
group-operator = يشرف عليها
group-operator-of = { $name } يشرف على هذه المجموعة
group-operator-note = من يشرف على مجموعة وله دور المشغّل يرى جلساتها ويدير وجهاتها.
group-add-member = إضافة عضو
group-remove-member = إخراج { $name } من المجموعة
group-add-target = إضافة وجهة
group-remove-target = سحب { $name } من المجموعة
group-entry = الاسم والوصف
group-remove = إزالة المجموعة
group-remove-title = إزالة المجموعة { $name }؟
group-remove-note = يفقد أعضاؤها الوجهات التي لا تصلهم إلا عن طريقها، وتنتهي جلساتهم عليها. لا يُحذف أي شخص ولا أي وجهة.
action-add = إضافة

## سجل التدقيق

audit-title = سجل التدقيق
audit-verify = تحقق
audit-export = تصدير
audit-action = النوع
audit-action-all = كل شيء
audit-everybody = عرض الجميع
audit-when = متى
audit-who = من
audit-subject = المعرّف
audit-object = موضوع الإجراء
audit-code = الرمز
audit-detail = التفاصيل
audit-hash = حلقة السلسلة
audit-erased = مُحي
audit-entry = القيد { $number }
audit-empty = لم يُسجَّل شيء بعد
audit-empty-note = يُكتب هنا كل دخول ووحدة تحكم وجلسة وكل تغيير يجريه مدير، في سلسلة تكشف إن حُذف منها شيء.
audit-good = السجل سليم
audit-good-note = { $count ->
    [zero] لا قيود في السجل بعد.
    [one] فُحص قيد واحد: لا شيء ناقص ولا معدّل ولا في غير موضعه.
    [two] فُحص قيدان: لا شيء ناقص ولا معدّل ولا في غير موضعه.
    [few] فُحصت { $count } قيود: لا شيء ناقص ولا معدّل ولا في غير موضعه.
    [many] فُحص { $count } قيدًا: لا شيء ناقص ولا معدّل ولا في غير موضعه.
   *[other] فُحص { $count } قيد: لا شيء ناقص ولا معدّل ولا في غير موضعه.
}
audit-broken = عُبث بالسجل عند القيد { $number }
audit-broken-note = حُذفت قيود أو عُدّلت أو غُيّر ترتيبها. احتفظ بنسخة من قاعدة البيانات كما هي، وقارنها بالرؤوس الموقّعة التي أُرسلت إلى مكان آخر.
audit-area-login = تسجيل الدخول
audit-area-grant = منح الصلاحيات
audit-area-console = وحدات التحكم
audit-area-session = الجلسات
audit-area-user = الأشخاص
audit-area-group = المجموعات
audit-area-target = الوجهات
audit-area-token = رموز الوصول

## الملف الشخصي والرموز والخادم

profile-title = الملف الشخصي
profile-you = بياناتك
profile-operates = تشرف عليها
profile-password-note = يُسجَّل خروجك من كل الأجهزة الأخرى.
profile-password-done = تغيّرت كلمة مرورك.
profile-devices = الأجهزة التي سجّلت الدخول منها

tokens-note = يحتاج البرنامج الذي يستخدم الواجهة البرمجية نيابة عنك إلى رمز، ولا يستطيع به أكثر مما تستطيعه أنت. لمعرفة كيف تعمل الواجهة:
tokens-empty = لا رموز وصول لديك.
tokens-add = إنشاء رمز
tokens-name-note = الغرض منه، كي تعرفه لاحقًا.
tokens-scopes = ما يُسمح له به
tokens-scopes-note = لا يتجاوز أبدًا ما يُسمح لك به.
scope-read = قراءة القوائم والحالات
scope-console = فتح وحدات التحكم
scope-operate = تجميد الجلسات وإنهاؤها وتغييرها
scope-admin = إدارة الأشخاص والمجموعات والوجهات
tokens-expires = مدة الصلاحية
tokens-days = { $count ->
    [zero] اليوم فقط
    [one] يوم واحد
    [two] يومان
    [few] { $count } أيام
    [many] { $count } يومًا
   *[other] { $count } يوم
}
tokens-forever = بلا نهاية
tokens-ends = ينتهي
tokens-used = آخر استخدام
tokens-never = لم يُستخدم
tokens-made = هذا هو الرمز «{ $name }»
tokens-made-note = انسخه الآن، فلن يظهر مرة أخرى. إن ضاع فألغه وأنشئ غيره.
tokens-kept = احتفظت به
tokens-revoke = إلغاء
tokens-revoke-of = إلغاء الرمز { $name }
tokens-revoke-title = إلغاء الرمز { $name }؟
tokens-revoke-note = تُرفض البرامج التي تستخدمه فورًا، ولا يمكن إعادته إلى الخدمة.

server-title = الخادم
server-note = تأتي هذه القيم من ملف الإعدادات أو من متغيرات البيئة أو من القيم المبدئية للبرنامج، وتُغيَّر هناك. تسري بعد إعادة التشغيل.
server-version = الإصدار
server-uptime = مدة التشغيل

api-docs-note = كل ما تفعله هذه الواجهة يستطيع برنامج أن يفعله. استخدم رمزًا من صفحة «رموز الوصول» في الترويسة ‪Authorization: Bearer‬.
api-docs-download = ملف OpenAPI
api-docs-search = البحث في العمليات
api-docs-parameters = المعاملات
api-docs-body = محتوى الطلب
api-docs-answers = الأجوبة
api-docs-required = إلزامي
welcome-later = ليس الآن
native-address = العنوان
native-password = كلمة المرور، تُستخدم مرة واحدة
native-short = كلمة مرور قصيرة للبرامج القديمة
native-own = أو أدخل اسم المستخدم { $name } مع كلمة مرورك كلما شئت.
own-targets = وجهاته الخاصة
own-targets-none = لا شيء سوى وجهات مجموعاته.
own-target-until = تنتهي
own-target-view-only = للمشاهدة فقط على { $name }
own-target-remove = سحب { $name }
group-changed = آخر تغيير
profile-devices-note = يلزم تسجيل الدخول من جديد على كل أجهزتك، وهذا الجهاز منها، وتنتهي وحدات التحكم المفتوحة لديك.
profile-logout-title = تسجيل الخروج من كل الأجهزة؟
profile-logout-note = يلزم تسجيل الدخول من جديد على كل أجهزتك، وهذا الجهاز منها، وتنتهي وحدات التحكم المفتوحة لديك.
server-where = أين تُضبط الإعدادات
audit-heads = { $count ->
    [zero] لا رأس موقّعًا بعد.
    [one] تمر السلسلة عبر رأس موقّع واحد.
    [two] تمر السلسلة عبر رأسين موقّعين.
    [few] تمر السلسلة عبر { $count } رؤوس موقّعة.
    [many] تمر السلسلة عبر { $count } رأسًا موقّعًا.
   *[other] تمر السلسلة عبر { $count } رأس موقّع.
}
audit-login-done = تسجيل دخول
audit-login-refused = رفض تسجيل دخول
audit-login-ended = تسجيل خروج
audit-login-all-ended = تسجيل خروج من كل الأجهزة
audit-login-refresh-reused = استخدام رمز التجديد مرتين
audit-login-link-issued = إصدار رابط يُستخدم مرة واحدة
audit-user-added = إضافة شخص
audit-user-changed = تعديل شخص
audit-user-disabled = تعطيل شخص
audit-user-enabled = تفعيل شخص
audit-user-password-set = تعيين كلمة مرور
audit-user-removed = إزالة شخص
audit-user-erased = محو بيانات شخصية
audit-group-added = إضافة مجموعة
audit-group-changed = تعديل مجموعة
audit-group-removed = إزالة مجموعة
audit-group-member-set = إضافة عضو أو تعديله
audit-group-member-removed = إخراج عضو
audit-group-target-set = منح وجهة لمجموعة
audit-group-target-removed = سحب وجهة من مجموعة
audit-grant-set = منح وجهة لشخص
audit-grant-removed = سحب وجهة من شخص
audit-target-added = إضافة وجهة
audit-target-changed = تعديل وجهة
audit-target-removed = إزالة وجهة
audit-target-tested = اختبار اتصال
audit-thumbnail-shown = مشاهدة شاشة في قائمة
audit-token-added = إنشاء رمز وصول
audit-token-revoked = إلغاء رمز وصول
audit-console-granted = منح وحدة تحكم
audit-console-refused = رفض وحدة تحكم
audit-session-started = بدء جلسة
audit-session-extended = تمديد جلسة
audit-session-frozen = تجميد جلسة
audit-session-thawed = إلغاء تجميد جلسة
audit-session-policy-set = تغيير قواعد جلسة
audit-session-ended = انتهاء جلسة
audit-setting-changed = تغيير إعداد
audit-audit-exported = تصدير السجل
audit-secret-rotated = استبدال مفتاح
