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

targets-title = الوجهات
targets-add = إضافة وجهة
targets-empty = لا توجد وجهات بعد
targets-empty-note = الوجهة شاشة يستطيع Gatehouse فتحها: جهاز افتراضي أو سطح مكتب أو أي خادم VNC. أضف أول وجهة بعنوانها.
targets-empty-command = أو من سطر الأوامر على الخادم:
target-console = وحدة التحكم
target-console-of = فتح وحدة التحكم في { $name }
target-test = اختبار
target-test-of = اختبار الاتصال بـ { $name }
target-test-card = شاشة اختبار مدمجة
target-sessions = { $count ->
    [zero] لا جلسات
    [one] جلسة واحدة
    [two] جلستان
    [few] { $count } جلسات
    [many] { $count } جلسة
   *[other] { $count } جلسة
}

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

sessions-title = الجلسات الجارية
sessions-empty = لا أحد متصل الآن.
session-end = إنهاء
session-end-of = إنهاء الجلسة على { $name }
end-title = إنهاء الجلسة على { $name }؟
end-note = ستنقطع الشاشة عن المُشاهد فورًا، أما الجهاز نفسه فيواصل العمل.
end-note-person = ستنقطع الشاشة فورًا عن { $person }، أما الجهاز نفسه فيواصل العمل.
end-keep = الإبقاء عليها
