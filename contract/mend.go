package contract

import (
	"cmp"
	"slices"
)

// Mend says what goes wrong in production where the check does not hold, and how to mend it:
// in the check's own words where it has some, or else in those of its area.
func Mend(id string) (why, mend Text) {
	area := AreaOf(id)
	why, mend = area.Why, area.Mend
	for _, m := range mends {
		if slices.Contains(m.checks, id) {
			return cmp.Or(m.why, why), m.mend
		}
	}
	return why, mend
}

// mends are what to do about checks of adapters, in the words of who writes one in PHP over an
// SQL database: the table payments has a unique index on the payment's id.
var mends = []struct {
	checks []string
	why    Text // that of the area if it is empty
	mend   Text
}{
	// Notifications.
	{
		checks: []string{"INT-NOTIFY-01"},
		mend: Text{
			"In the handler do three things only: check the parameters, INSERT the payment in the state \"received\", answer 200. A worker (cron or a daemon) takes what is received, reserves the money, calls confirmPayment and, on an answer without error, charges.",
			"В обработчике делайте только три вещи: проверьте параметры, выполните INSERT платежа в состоянии «получен», ответьте 200. Обработчик очереди (cron или демон) берёт полученные, резервирует деньги, вызывает confirmPayment и после ответа без ошибки списывает.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-02", "INT-RACE-08"},
		why: Text{
			"A handler that calls the platform before it answers keeps the platform waiting for itself: after five seconds the notification counts as lost and comes again, and a crowd of them takes all PHP-FPM processes.",
			"Обработчик, который сначала вызывает платформу, а потом отвечает, заставляет её ждать саму себя: через пять секунд уведомление считается потерянным и приходит снова, а толпа таких уведомлений занимает все процессы PHP-FPM.",
		},
		mend: Text{
			"Call nothing outside before the answer: store, answer 200, and leave confirmPayment to a worker. fastcgi_finish_request() after the COMMIT is enough for a start, but what is killed behind it must be taken up by the worker all the same.",
			"До ответа не вызывайте ничего внешнего: сохраните, ответьте 200, а confirmPayment оставьте обработчику очереди. Для начала хватит fastcgi_finish_request() после COMMIT, но то, что убито после него, обработчик очереди всё равно должен подхватить.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-03", "INT-NOTIFY-04", "INT-NOTIFY-05", "INT-NOTIFY-06", "INT-NOTIFY-07", "INT-CONFIRM-04"},
		why: Text{
			"(int)(1.15 * 100) is 114: a float loses kopecks, and the platform refuses a confirmation of another sum than it announced.",
			"(int)(1.15 * 100) — это 114: float теряет копейки, а платформа отвергает подтверждение не той суммы, о которой сообщила.",
		},
		mend: Text{
			"Never make a float of the sum. Split the text at the point, pad the kopecks to two digits and keep an integer of kopecks (BIGINT), or use bcmath and DECIMAL(15,2). Send back the text of the notification, or the integer written with a point.",
			"Никогда не превращайте сумму во float. Разделите текст по точке, дополните копейки до двух знаков и храните целое число копеек (BIGINT) либо используйте bcmath и DECIMAL(15,2). Отправляйте обратно текст из уведомления или целое, записанное с точкой.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-08", "INT-NOTIFY-09"},
		mend: Text{
			"Read the parameters by name from $_GET, which decodes them, not by position or by a regular expression over QUERY_STRING; pass over those you do not know.",
			"Читайте параметры по именам из $_GET, где они уже декодированы, а не по порядку и не регулярным выражением по QUERY_STRING; незнакомые пропускайте.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-10"},
		mend: Text{
			"Look at $_SERVER['REQUEST_METHOD'] first: GET and POST go on, all else is answered 405 with the header Allow: GET, POST.",
			"Сначала посмотрите на $_SERVER['REQUEST_METHOD']: GET и POST обрабатывайте, на остальное отвечайте 405 с заголовком Allow: GET, POST.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-11", "INT-RACE-06"},
		why: Text{
			"The caller may be gone while you are storing. PHP ends a script whose caller has hung up, perhaps between two statements.",
			"Вызывающий может исчезнуть, пока вы сохраняете. PHP завершает скрипт, чей клиент оборвал связь, — возможно, между двумя запросами к базе.",
		},
		mend: Text{
			"Call ignore_user_abort(true) first, and store in one transaction. The same notification will come again: by the unique index it is a repeat.",
			"Первым делом вызовите ignore_user_abort(true) и сохраняйте одной транзакцией. То же уведомление придёт снова: уникальный индекс покажет, что это повтор.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-12", "INT-RACE-07"},
		mend: Text{
			"Find the user by {hash} and the payment by {id}, never by the sum or by \"the last one\". Confirm with the hash and crypt key that are stored for this very user.",
			"Ищите пользователя по {hash}, а платёж по {id}, никогда — по сумме или «последний». Подтверждайте с тем хешем и ключом, которые сохранены именно для этого пользователя.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-13"},
		why: Text{
			"The platform knows where to notify from the login link alone. Without {id} and {amount} in it the notification says nothing.",
			"Платформа узнаёт адрес уведомлений только из ссылки входа. Без {id} и {amount} уведомление ничего не сообщает.",
		},
		mend: Text{
			"Put paymentNotifyUrl into the arguments of cryptLogin with {id}, {amount} and {hash} as they are: the braces must not be url-encoded, and the arguments are sealed with the user's key, not the partner's.",
			"Передайте в аргументах cryptLogin paymentNotifyUrl с {id}, {amount} и {hash} как есть: фигурные скобки не кодируются, а аргументы шифруются ключом пользователя, не партнёра.",
		},
	},
	{
		checks: []string{"INT-NOTIFY-14"},
		mend: Text{
			"Key everything by the payment's id: one row, one reservation, one confirmPayment for each. If the worker takes one payment of a user at a time, let it go on with the next until none is left.",
			"Ключом везде должен быть id платежа: одна строка, один резерв, один confirmPayment на каждый. Если обработчик берёт по одному платежу пользователя, пусть берёт следующий, пока не останется ни одного.",
		},
	},
	// Malformed notifications.
	{
		checks: []string{"INT-PARAM-01", "INT-PARAM-02", "INT-PARAM-03", "INT-PARAM-04", "INT-PARAM-05", "INT-PARAM-06", "INT-PARAM-07", "INT-PARAM-08", "INT-INPUT-02"},
		mend: Text{
			"Accept the id only if is_string($id) and preg_match('/\\A[0-9a-zA-Z]{32}\\z/', $id), before it goes anywhere; else answer 400. ($ in place of \\z lets a line break through, and ?id[]= makes an array of it.) Use prepared statements.",
			"Принимайте id, только если is_string($id) и preg_match('/\\A[0-9a-zA-Z]{32}\\z/', $id), прежде чем куда-либо его передать; иначе отвечайте 400. ($ вместо \\z пропустит перевод строки, а ?id[]= превратит его в массив.) Используйте подготовленные запросы.",
		},
	},
	{
		checks: []string{
			"INT-PARAM-09", "INT-PARAM-10", "INT-PARAM-11", "INT-PARAM-12", "INT-PARAM-13", "INT-PARAM-14", "INT-PARAM-15", "INT-PARAM-16",
			"INT-PARAM-17", "INT-PARAM-18", "INT-PARAM-19", "INT-PARAM-20", "INT-PARAM-21", "INT-PARAM-22", "INT-PARAM-23", "INT-INPUT-01",
		},
		mend: Text{
			"Accept the sum only if is_string($amount) and preg_match('/\\A\\d{1,12}(\\.\\d{1,2})?\\z/', $amount) and it is not zero; else answer 400. is_numeric() and (float) are too kind: they take \"1e3\", \" 100\", \"1.005\". trim() nothing away.",
			"Принимайте сумму, только если is_string($amount), preg_match('/\\A\\d{1,12}(\\.\\d{1,2})?\\z/', $amount) и она не нулевая; иначе отвечайте 400. is_numeric() и (float) слишком добры: они примут \"1e3\", \" 100\", \"1.005\". Ничего не отрезайте через trim().",
		},
	},
	{
		checks: []string{"INT-PARAM-24"},
		mend: Text{
			"PHP keeps the last of two parameters with one name and says nothing. Count them in $_SERVER['QUERY_STRING'], and answer 400 if the sum is there more than once.",
			"PHP молча оставляет последний из двух одноимённых параметров. Посчитайте их в $_SERVER['QUERY_STRING'] и отвечайте 400, если сумма передана больше одного раза.",
		},
	},
	{
		checks: []string{"INT-PARAM-25", "INT-PARAM-26", "INT-PARAM-27"},
		mend: Text{
			"Accept the user's hash only if is_string($hash) and preg_match('/\\A[0-9a-zA-Z]{32}\\z/', $hash); else answer 400.",
			"Принимайте хеш пользователя, только если is_string($hash) и preg_match('/\\A[0-9a-zA-Z]{32}\\z/', $hash); иначе отвечайте 400.",
		},
	},
	{
		checks: []string{"INT-PARAM-28"},
		mend: Text{
			"Look for the user first. A hash that is in no row is answered 404 (or 200 with declinePayment later), never a 500 and never the account of somebody else, such as the one who is logged in.",
			"Сначала найдите пользователя. На хеш, которого нет ни в одной строке, отвечайте 404 (или 200 и позже declinePayment), но не 500, и не берите чужой счёт, например того, кто сейчас вошёл.",
		},
	},
	{
		checks: []string{"INT-INPUT-03"},
		mend: Text{
			"Wrap the handler in try/catch (Throwable): log what it was, answer 400 for what the caller sent and 503 for what your own database did. The report has the query as a curl command.",
			"Оберните обработчик в try/catch (Throwable): запишите причину в журнал, отвечайте 400 на то, что прислали, и 503 на сбой собственной базы. Строка запроса есть в отчёте командой curl.",
		},
	},
	// Forged and foreign notifications.
	{
		checks: []string{"INT-PROOF-01", "INT-PROOF-02", "INT-PROOF-03", "INT-PROOF-04", "INT-PROOF-05"},
		mend: Text{
			"Compare what came with what you would have made: hash_equals(hash_hmac('sha256', $hash, $secret), $proof) or, with a JWT, JWT::decode($token, new Key($secret, 'HS256')) of firebase/php-jwt. Do it before anything is stored, over all of it (a comparison of the beginning is none), and answer 403.",
			"Сравнивайте пришедшее с тем, что сделали бы сами: hash_equals(hash_hmac('sha256', $hash, $secret), $proof) или, для JWT, JWT::decode($token, new Key($secret, 'HS256')) из firebase/php-jwt. Делайте это до сохранения и целиком (сравнение начала — не сравнение) и отвечайте 403.",
		},
	},
	{
		checks: []string{"INT-PROOF-06"},
		why: Text{
			"A JWT names its own algorithm, and \"none\" is one. Who follows that lets everybody write tokens.",
			"JWT сам называет свой алгоритм, и среди них есть \"none\". Кто ему верит, позволяет писать токены кому угодно.",
		},
		mend: Text{
			"Give the algorithm yourself, as in new Key($secret, 'HS256'), and never take it from the token's header.",
			"Задавайте алгоритм сами, как в new Key($secret, 'HS256'), и никогда не берите его из заголовка токена.",
		},
	},
	{
		checks: []string{"INT-PROOF-07"},
		mend: Text{
			"Put exp into the token when the login link is made, and refuse with 403 what is past it. The library does so if exp is there; with an HMAC of your own, sign the time as well and compare it with time().",
			"Записывайте exp в токен, когда создаёте ссылку входа, и отвечайте 403, когда срок прошёл. Библиотека проверяет сама, если exp есть; в собственном HMAC подпишите и время и сравните его с time().",
		},
	},
	{
		checks: []string{"INT-PROOF-08"},
		why: Text{
			"A user who has a link of their own could put somebody else's hash into it, and have that account charged.",
			"Пользователь, у которого есть собственная ссылка, мог бы подставить в неё чужой хеш, и списали бы с чужого счёта.",
		},
		mend: Text{
			"Sign for one user (sub in a JWT, the hash inside an HMAC), and compare that user with {hash} of the notification: another one is 403.",
			"Подписывайте для одного пользователя (sub в JWT, хеш внутри HMAC) и сравнивайте его с {hash} уведомления: не тот — 403.",
		},
	},
	{
		checks: []string{"INT-PROOF-09", "INT-PROOF-10", "INT-PROOF-11"},
		why: Text{
			"Whoever knows an address that was valid once can call it with another id or sum. The platform alone knows which payments there are.",
			"Кто знает однажды верный адрес, может вызвать его с другим id или суммой. О том, какие платежи есть, знает только платформа.",
		},
		mend: Text{
			"On the notification only reserve. Charge after confirmPayment has come back with \"error\":false; on \"error\":true at the first try release the reservation: the platform knows no such payment, user or sum.",
			"По уведомлению только резервируйте. Списывайте, когда confirmPayment вернул \"error\":false; при \"error\":true с первой же попытки снимите резерв: платформа не знает такого платежа, пользователя или суммы.",
		},
	},
	// Confirming.
	{
		checks: []string{"INT-CONFIRM-01"},
		mend: Text{
			"Call confirmPayment with {\"amount\": the notification's, \"transactionId\": its id}, and reserve just that sum: no fee on top, no rounding, no sum that the user's page shows.",
			"Вызывайте confirmPayment с {\"amount\": сумма из уведомления, \"transactionId\": его id} и резервируйте ровно эту сумму: без надбавок, без округления, не то, что показывает страница пользователя.",
		},
	},
	{
		checks: []string{"INT-CONFIRM-02"},
		mend: Text{
			"Seal k with the hash and cryptKey that createUser has returned for this user. The partner's own key is for createUser and the reports; a call with it is refused, or about somebody else.",
			"Шифруйте k хешем и cryptKey, которые createUser вернул для этого пользователя. Ключ самого партнёра — для createUser и отчётов; с ним вызов отвергнут, или он будет не о том.",
		},
	},
	{
		checks: []string{"INT-CONFIRM-03"},
		mend: Text{
			"Store the platform's yes before you do anything else: UPDATE payments SET state='confirmed' WHERE id=? AND state='confirming'. The worker takes only what is not finished.",
			"Сохраняйте согласие платформы раньше всего остального: UPDATE payments SET state='confirmed' WHERE id=? AND state='confirming'. Обработчик очереди берёт только незавершённое.",
		},
	},
	{
		checks: []string{"INT-CONFIRM-05"},
		mend: Text{
			"Let the state decide: declinePayment only from \"received\" or \"reserved\", by UPDATE … WHERE state='received' whose rowCount() is 1. After a confirmation was tried nothing is declined.",
			"Пусть решает состояние: declinePayment только из «получен» или «зарезервирован», запросом UPDATE … WHERE state='received', у которого rowCount() равен 1. После попытки подтверждения ничего не отклоняют.",
		},
	},
	// Declining.
	{
		checks: []string{"INT-DECLINE-01", "INT-DECLINE-03"},
		mend: Text{
			"Where the reservation fails for want of money, call declinePayment with {\"transactionId\": the id, \"errorCode\": 1, \"errorMessage\": why}. Silence is no refusal: the payment would hang on the user's page for a day.",
			"Если резерв не удался из-за нехватки денег, вызовите declinePayment с {\"transactionId\": id, \"errorCode\": 1, \"errorMessage\": причина}. Молчание — не отказ: платёж провисит на странице пользователя сутки.",
		},
	},
	{
		checks: []string{"INT-DECLINE-02"},
		mend: Text{
			"Compare integers of kopecks: 9999 < 10000. A comparison of floats, of rounded roubles or of texts lets one kopeck through.",
			"Сравнивайте целые копейки: 9999 < 10000. Сравнение float, округлённых рублей или текстов пропускает копейку.",
		},
	},
	{
		checks: []string{"INT-DECLINE-04"},
		mend: Text{
			"Add errorCode (a number of yours) or errorMessage (a sentence for the user, in UTF-8) to declinePayment: without it nobody can tell the user why.",
			"Добавьте в declinePayment errorCode (ваш номер) или errorMessage (фразу для пользователя, в UTF-8): без этого никто не объяснит пользователю причину.",
		},
	},
	{
		checks: []string{"INT-DECLINE-05", "INT-REPEAT-07"},
		why: Text{
			"The user has read \"declined\" and perhaps paid in another way. What is paid all the same later is paid twice.",
			"Пользователь прочитал «отклонено» и, возможно, заплатил иначе. Если потом платёж всё-таки пройдёт, он заплатит дважды.",
		},
		mend: Text{
			"\"declined\" is an end: keep the row, answer its repeats 200, and never go from there to a reservation. Do not look for declined payments when money comes in.",
			"«Отклонён» — конечное состояние: оставьте строку, на повторы отвечайте 200 и никогда не переходите из него к резерву. При пополнении счёта не ищите отклонённые платежи.",
		},
	},
	{
		checks: []string{"INT-DECLINE-06"},
		mend: Text{
			"Reserve all of the sum or nothing: UPDATE accounts SET available=available-?, reserved=reserved+? WHERE user=? AND available>=?. Where rowCount() is 0 nothing may be held for the declined payment.",
			"Резервируйте сумму целиком или никак: UPDATE accounts SET available=available-?, reserved=reserved+? WHERE user=? AND available>=?. Если rowCount() равен 0, за отклонённым платежом ничего не должно числиться.",
		},
	},
	{
		checks: []string{"INT-DECLINE-07"},
		mend: Text{
			"Store \"declining\" before the call and \"declined\" after an answer; the worker repeats what is declining, with growing pauses. \"Declined already\" is an answer too.",
			"До вызова сохраняйте «отклоняется», после ответа — «отклонён»; обработчик очереди повторяет то, что отклоняется, с растущими паузами. «Уже отклонён» — тоже ответ.",
		},
	},
	// Repeats and order.
	{
		checks: []string{"INT-REPEAT-01", "INT-REPEAT-02", "INT-REPEAT-03", "INT-REPEAT-11", "INT-RACE-01", "INT-CRASH-07"},
		mend: Text{
			"INSERT … ON CONFLICT (id) DO NOTHING (MySQL: INSERT IGNORE), and look at rowCount(): 1 is new and goes to the worker; 0 is a repeat, which is answered 200 and changes nothing, whatever state the payment is in. A SELECT before the INSERT decides nothing; a cache that forgets does not either.",
			"INSERT … ON CONFLICT (id) DO NOTHING (MySQL: INSERT IGNORE) и посмотрите на rowCount(): 1 — новый, его берёт обработчик очереди; 0 — повтор, на него отвечайте 200 и ничего не меняйте, в каком бы состоянии ни был платёж. SELECT перед INSERT ничего не решает, кеш, который забывает, — тоже.",
		},
	},
	{
		checks: []string{"INT-REPEAT-04", "INT-REPEAT-05", "INT-REPEAT-06", "INT-RACE-04"},
		why: Text{
			"A second notification with the same id and another sum or user is forged or a mistake. Who overwrites the row confirms a sum, or charges a user, that the platform never announced.",
			"Второе уведомление с тем же id, но другой суммой или пользователем — подделка или ошибка. Кто перезапишет строку, подтвердит сумму или спишет с пользователя, о которых платформа не сообщала.",
		},
		mend: Text{
			"Where the INSERT finds the id taken, compare the stored sum and user with those that came: the same is a repeat (200), others are a conflict: answer 409, write it down, leave the row as it is. No ON DUPLICATE KEY UPDATE, no REPLACE.",
			"Если INSERT нашёл id занятым, сравните сохранённые сумму и пользователя с пришедшими: совпали — повтор (200), нет — противоречие: ответьте 409, запишите это в журнал, строку не трогайте. Никаких ON DUPLICATE KEY UPDATE и REPLACE.",
		},
	},
	{
		checks: []string{"INT-REPEAT-08", "INT-CHOICE-08"},
		mend: Text{
			"Treat each payment by itself. Do not remember a highest id or time seen and drop what is older: order is not promised.",
			"Обрабатывайте каждый платёж сам по себе. Не запоминайте наибольший id или время, чтобы отбросить более старые: порядок никто не обещает.",
		},
	},
	{
		checks: []string{"INT-REPEAT-09", "INT-CHOICE-04"},
		mend: Text{
			"Have no time limit of your own for a notification: whether a payment is still open is known to the platform alone, and confirmPayment tells. Let the proof in the URL live at least as long (days).",
			"Не вводите для уведомления собственного срока: открыт ли ещё платёж, знает только платформа, и ответ на confirmPayment это скажет. Срок подтверждения подлинности в адресе должен быть не меньше (дни).",
		},
	},
	{
		checks: []string{"INT-REPEAT-10"},
		mend: Text{
			"Tell payments apart by {id} alone. Sum, user and minute make no key: people pay the same sum twice.",
			"Различайте платежи только по {id}. Сумма, пользователь и минута — не ключ: люди платят одну и ту же сумму дважды.",
		},
	},
	// At the same moment.
	{
		checks: []string{"INT-RACE-02", "INT-RACE-03", "INT-RACE-05"},
		mend: Text{
			"Take the money by one conditional statement, UPDATE accounts SET available=available-?, reserved=reserved+? WHERE user=? AND available>=?, and look at rowCount(): 1 is reserved, 0 is declined. Or SELECT … FOR UPDATE the account first, in the same transaction. A balance read in PHP and written back is a lost update; so is a deposit that does it.",
			"Берите деньги одним условным запросом, UPDATE accounts SET available=available-?, reserved=reserved+? WHERE user=? AND available>=?, и посмотрите на rowCount(): 1 — зарезервировано, 0 — отказ. Или сначала SELECT … FOR UPDATE по счёту, в той же транзакции. Остаток, прочитанный в PHP и записанный обратно, затирает чужое изменение; пополнение, сделанное так же, — тоже.",
		},
	},
	// Lost and broken answers.
	{
		checks: []string{"INT-LOST-01", "INT-LOST-02", "INT-LOST-03", "INT-LOST-12"},
		mend: Text{
			"curl_errno() other than 0, a status other than 200 or a body that json_decode() does not take: outcome unknown. Keep the state \"confirming\" and the reservation, set next_try=NOW()+pause, and let the worker call again with the same transactionId until an envelope comes; then charge. Set CURLOPT_TIMEOUT, or a call without an answer holds the worker for good.",
			"curl_errno() не 0, статус не 200 или тело, которое не разбирает json_decode(), — исход неизвестен. Оставьте состояние «подтверждается» и резерв, задайте next_try=NOW()+пауза, и пусть обработчик очереди повторяет вызов с тем же transactionId, пока не придёт конверт; тогда списывайте. Задайте CURLOPT_TIMEOUT, иначе вызов без ответа займёт обработчик навсегда.",
		},
	},
	{
		checks: []string{"INT-LOST-04", "INT-LOST-05", "INT-LOST-06", "INT-CRASH-03"},
		why: Text{
			"The first call has landed, its answer is lost, and the repeat is refused because the payment is confirmed already. Who takes that for a refusal gives back money that the platform has credited.",
			"Первый вызов дошёл, ответ потерян, а повтор отвергнут, потому что платёж уже подтверждён. Кто примет это за отказ, вернёт деньги, которые платформа зачислила.",
		},
		mend: Text{
			"Count the tries in the row, before each call (tries=tries+1). \"error\":true at the first try is a refusal: release. After an earlier try without an answer it says nothing: set the state \"in doubt\", keep the reservation, and compare with getFinSummaryByDate, or let a person decide. Do not call declinePayment.",
			"Считайте попытки в строке, до каждого вызова (tries=tries+1). \"error\":true с первой попытки — отказ: снимайте резерв. После попытки без ответа он ничего не значит: поставьте состояние «под вопросом», держите резерв и сверьтесь с getFinSummaryByDate или оставьте решение человеку. declinePayment не вызывайте.",
		},
	},
	{
		checks: []string{"INT-LOST-07"},
		mend: Text{
			"What is confirming or in doubt stays in reserved, not in available, for as long as it lasts: no time-out of yours may release it.",
			"Деньги платежа, который подтверждается или под вопросом, остаются в резерве, а не в доступных, сколько бы это ни длилось: никакой ваш тайм-аут не должен их освобождать.",
		},
	},
	{
		checks: []string{"INT-LOST-08", "INT-LOST-09", "INT-LOST-10", "INT-LOST-11"},
		mend: Text{
			"Take for an answer only a status 200 whose body json_decode($body, true, 64, JSON_THROW_ON_ERROR) turns into an array with a boolean \"error\". An exception, null, a page of HTML, a half of JSON or a status 5xx: keep the reservation and call again later. Beware of empty($answer['error']): it is true of garbage as well.",
			"Ответом считайте только статус 200, тело которого json_decode($body, true, 64, JSON_THROW_ON_ERROR) превращает в массив с логическим \"error\". Исключение, null, HTML-страница, половина JSON или статус 5xx: держите резерв и повторите вызов позже. Осторожно с empty($answer['error']): для мусора это тоже истина.",
		},
	},
	// What the documents leave open.
	{
		checks: []string{"INT-CHOICE-01"},
		mend: Text{
			"\"error\":true at the first confirmPayment is a refusal (code 9 is another sum): release the reservation at once, and do not try other sums.",
			"\"error\":true на первый confirmPayment — отказ (код 9 — другая сумма): сразу снимите резерв и не подбирайте другие суммы.",
		},
	},
	{
		checks: []string{"INT-CHOICE-02"},
		mend: Text{
			"Charge the sum that you sent in confirmPayment and got a yes for: what was reserved. Do not ask the platform's page or another notification how much it was.",
			"Списывайте ту сумму, которую отправили в confirmPayment и на которую получили согласие, то есть зарезервированную. Не узнавайте её со страницы платформы или из другого уведомления.",
		},
	},
	{
		checks: []string{"INT-CHOICE-03"},
		mend: Text{
			"A payment that has expired at the platform is refused like any other: \"error\":true at the first confirmPayment, so release the reservation and end. Nothing is charged on the notification alone.",
			"Истёкший на платформе платёж отвергается как любой другой: \"error\":true на первый confirmPayment — снимите резерв и закончите. По одному уведомлению ничего не списывается.",
		},
	},
	{
		checks: []string{"INT-CHOICE-05", "INT-CHOICE-06", "INT-CHOICE-07"},
		mend: Text{
			"Nothing is needed for what you never heard of: no polling, no charge. When the notification comes again after the restart, treat it as new: what counts is the row in the table, not the time or the number of the try.",
			"Для того, о чём вы не слышали, ничего не нужно: ни опроса, ни списания. Когда после запуска уведомление придёт снова, обработайте его как новое: важна строка в таблице, а не время и не номер попытки.",
		},
	},
	// Direct payments.
	{
		checks: []string{"INT-DIRECT-01", "INT-DIRECT-06"},
		mend: Text{
			"Reserve, call doPayment, charge on \"error\":false. It credits at once: no confirmPayment afterwards.",
			"Зарезервируйте, вызовите doPayment, при \"error\":false спишите. Он зачисляет сразу: confirmPayment после него не нужен.",
		},
	},
	{
		checks: []string{"INT-DIRECT-02"},
		mend: Text{
			"paymentHash is md5($key), 32 characters, of your own key of the payment; userLogin is the login that was given to createUser; paymentSum is a text with a point.",
			"paymentHash — это md5($key), 32 символа, от вашего собственного ключа платежа; userLogin — логин, переданный в createUser; paymentSum — текст с точкой.",
		},
	},
	{
		checks: []string{"INT-DIRECT-03"},
		mend: Text{
			"Reserve before the call, by the same conditional UPDATE as for notifications; where it reserves nothing answer 402 and do not call doPayment.",
			"Резервируйте до вызова тем же условным UPDATE, что и для уведомлений; если ничего не зарезервировано, ответьте 402 и не вызывайте doPayment.",
		},
	},
	{
		checks: []string{"INT-DIRECT-04", "INT-DIRECT-05"},
		mend: Text{
			"Put a unique index on the caller's key and INSERT before anything else; where the key is taken, answer with the state of the payment that is there. md5(uniqid()) at each call is what makes two.",
			"Поставьте уникальный индекс на ключ вызывающего и сделайте INSERT раньше всего остального; если ключ занят, ответьте состоянием имеющегося платежа. Именно md5(uniqid()) на каждый вызов создаёт два платежа.",
		},
	},
	{
		checks: []string{"INT-DIRECT-07", "INT-DIRECT-08"},
		mend: Text{
			"Store the paymentHash with the payment and repeat with that one. A refusal of a hash that was sent before and had no answer says nothing: keep the reservation, mark the payment in doubt.",
			"Храните paymentHash вместе с платежом и повторяйте с ним же. Отказ по хешу, который уже отправляли и не получили ответа, ничего не значит: держите резерв и пометьте платёж «под вопросом».",
		},
	},
	{
		checks: []string{"INT-DIRECT-09"},
		mend: Text{
			"Check the sum of your own API as strictly as that of a notification, and answer 422 before anything is stored.",
			"Проверяйте сумму в своём API так же строго, как в уведомлении, и отвечайте 422 до всякого сохранения.",
		},
	},
	// Refunds.
	{
		checks: []string{"INT-REFUND-01", "INT-REFUND-02"},
		mend: Text{
			"A refund is a row of its own with a unique key: call doPayment with a negative paymentSum, and credit the user on \"error\":false in the transaction that ends the row. The same key again is the same refund.",
			"Возврат — отдельная строка с уникальным ключом: вызовите doPayment с отрицательной paymentSum и при \"error\":false зачислите пользователю в той же транзакции, что завершает строку. Тот же ключ — тот же возврат.",
		},
	},
	{
		checks: []string{"INT-REFUND-03"},
		mend: Text{
			"Repeat a refund whose answer is lost under its stored paymentHash, and credit once, when the yes comes.",
			"Возврат с потерянным ответом повторяйте с сохранённым paymentHash и зачисляйте один раз, когда придёт согласие.",
		},
	},
	{
		checks: []string{"INT-REFUND-04"},
		mend: Text{
			"Before the call lock the payment (SELECT … FOR UPDATE) and refuse with 422 if its refunds, those on their way too, and this one are more than was paid. The platform does not look.",
			"До вызова заблокируйте платёж (SELECT … FOR UPDATE) и отвечайте 422, если его возвраты, включая незавершённые, вместе с этим больше уплаченного. Платформа этого не проверяет.",
		},
	},
	{
		checks: []string{"INT-REFUND-05"},
		mend: Text{
			"Credit the user only after doPayment said \"error\":false. Where it refuses, end the refund as refused and tell the caller (409).",
			"Зачисляйте пользователю только после \"error\":false от doPayment. Если он отказал, завершите возврат отказом и сообщите вызвавшему (409).",
		},
	},
	// Robokassa's payments.
	{
		checks: []string{"INT-ACQUIRER-01", "INT-ACQUIRER-02"},
		mend: Text{
			"Charge only what was notified to you and what you confirmed. A job that reads getUserData and books the difference takes these payments for yours: remove it.",
			"Списывайте только то, о чём вас уведомили и что вы подтвердили. Задание, которое читает getUserData и проводит разницу, принимает эти платежи за ваши: уберите его.",
		},
	},
	// Crashes.
	{
		checks: []string{"INT-CRASH-01"},
		why: Text{
			"200 is a promise: the platform will not tell of this payment again. What was in memory, in a queue without a disk or in a transaction not yet committed is gone with the process.",
			"200 — это обещание: об этом платеже платформа больше не сообщит. То, что было в памяти, в очереди без диска или в незавершённой транзакции, исчезнет вместе с процессом.",
		},
		mend: Text{
			"COMMIT first, then http_response_code(200). At its start and every few seconds the worker takes all rows that are not finished, not only those of which it was told. APCu, Redis without AOF or fsync, and MyISAM are no store.",
			"Сначала COMMIT, потом http_response_code(200). При запуске и каждые несколько секунд обработчик очереди берёт все незавершённые строки, а не только те, о которых ему сообщили. APCu, Redis без AOF или fsync и MyISAM — не хранилище.",
		},
	},
	{
		checks: []string{"INT-CRASH-02", "INT-CRASH-04"},
		why: Text{
			"The platform has credited the payment, and the process is gone before it has written that down. After the restart the payment must be found, and neither forgotten (the user paid nothing) nor charged twice.",
			"Платформа зачислила платёж, а процесс погиб раньше, чем записал это. После запуска платёж нужно найти, и не забыть (пользователь не заплатит) и не списать дважды.",
		},
		mend: Text{
			"Before the call: state='confirming' and the reservation, in one transaction, committed. After a start: call confirmPayment again with the same transactionId for every row that is confirming. After the yes: state='confirmed' and the charge in one transaction, UPDATE … WHERE state='confirming'.",
			"До вызова: state='confirming' и резерв одной зафиксированной транзакцией. После запуска: снова вызовите confirmPayment с тем же transactionId для каждой строки в этом состоянии. После согласия: state='confirmed' и списание одной транзакцией, UPDATE … WHERE state='confirming'.",
		},
	},
	{
		checks: []string{"INT-CRASH-05"},
		mend: Text{
			"Before the call: state='declining', committed. After a start: call declinePayment again for every row in that state, and do not try to reserve again: the money that is there now is not this payment's.",
			"До вызова: state='declining', зафиксировано. После запуска: снова вызовите declinePayment для каждой строки в этом состоянии и не пытайтесь резервировать заново: появившиеся деньги не для этого платежа.",
		},
	},
	{
		checks: []string{"INT-CRASH-06"},
		mend: Text{
			"Take up everything unfinished at a start, whatever its state: received (reserve), reserved (confirm), confirming (call again), declining (call again). A row marked \"in work\" by a process that is dead needs a lease: claimed_until < NOW() makes it free.",
			"При запуске продолжайте всё незавершённое, в каком бы состоянии оно ни было: получен (резервировать), зарезервирован (подтверждать), подтверждается (повторить вызов), отклоняется (повторить вызов). Строке, помеченной «в работе» погибшим процессом, нужен срок: при claimed_until < NOW() она свободна.",
		},
	},
	{
		checks: []string{"INT-CRASH-08"},
		mend: Text{
			"On SIGTERM (pcntl_signal with pcntl_async_signals(true)) take nothing new and end within ten seconds: give up an open call, its row stays confirming. Set CURLOPT_TIMEOUT below that. The next start calls again.",
			"По SIGTERM (pcntl_signal и pcntl_async_signals(true)) не берите нового и завершитесь за десять секунд: откажитесь от открытого вызова, его строка останется «подтверждается». CURLOPT_TIMEOUT задайте меньше. После запуска вызов повторится.",
		},
	},
	{
		checks: []string{"INT-CRASH-09"},
		mend: Text{
			"Keep balances in the database and answer a deposit after the COMMIT; no write-behind cache. A start must not create the tables anew, nor reset what was open.",
			"Храните остатки в базе и отвечайте на пополнение после COMMIT; никакого кеша с отложенной записью. Запуск не должен пересоздавать таблицы и сбрасывать незавершённое.",
		},
	},
}
