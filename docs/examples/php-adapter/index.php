<?php
// Takes notifications at /notify. With HOOK=on it also answers the contract suite's state
// hook at /hook, which must never be reachable in production.
declare(strict_types=1);

require __DIR__ . '/lib.php';

function answer(int $status, array $body): never
{
    http_response_code($status);
    header('Content-Type: application/json');
    echo json_encode($body), "\n";
    exit;
}

/** The query's parameters; null if one stands there twice or cannot be read. */
function parameters(string $query): ?array
{
    $found = [];
    foreach ($query === '' ? [] : explode('&', $query) as $pair) {
        if (preg_match('/%(?![0-9A-Fa-f]{2})/', $pair)) {
            return null;
        }
        [$name, $value] = array_map('urldecode', explode('=', $pair, 2) + [1 => '']);
        if (isset($found[$name])) {
            return null;
        }
        $found[$name] = $value;
    }
    return $found;
}

function notify(): never
{
    if (!in_array($_SERVER['REQUEST_METHOD'], ['GET', 'POST'], true)) {
        header('Allow: GET, POST');
        answer(405, ['error' => 'want GET or POST']);
    }
    $query = $_SERVER['QUERY_STRING'] ?? '';
    if (strlen($query) > 8192) {
        answer(413, ['error' => 'longer than 8 KiB']);
    }
    $p = parameters($query);
    if ($p === null) {
        answer(400, ['error' => 'a parameter stands there twice, or is not percent-encoded']);
    }
    ['id' => $id, 'amount' => $amount, 'hash' => $user, 'token' => $token] = $p + ['id' => '', 'amount' => '', 'hash' => '', 'token' => ''];
    if (!is_hash($user)) {
        answer(400, ['error' => 'hash is not 32 letters or digits']);
    }
    if (!proven($user, $token)) {
        answer(403, ['error' => 'the token is not good for this user']);
    }
    if (!is_hash($id)) {
        answer(400, ['error' => 'id is not 32 letters or digits']);
    }
    $kopecks = kopecks($amount);
    if ($kopecks === null) {
        answer(400, ['error' => 'amount is no positive decimal with at most two decimals']);
    }
    if (query('SELECT 1 FROM users WHERE hash = ?', [$user])->fetchColumn() === false) {
        answer(404, ['error' => 'nobody has this hash']);
    }
    // The primary key decides who is first; a look before the insert would let two
    // deliveries both find nothing.
    $first = query(
        "INSERT INTO payments (id, kind, user, amount, state, due_ms) VALUES (?, 'topup', ?, ?, 'received', ?) ON CONFLICT (id) DO NOTHING",
        [$id, $user, $kopecks, now_ms()]
    )->rowCount() === 1;
    if (!$first) {
        $known = query('SELECT user, amount FROM payments WHERE id = ?', [$id])->fetch(PDO::FETCH_ASSOC);
        if ($known['user'] !== $user || (int) $known['amount'] !== $kopecks) {
            answer(409, ['error' => 'this id was announced with other content']);
        }
    }
    answer(200, ['stored' => true]);
}

/** The state hook of the contract suite: makes users, gives them money, shows balances. */
function hook(): never
{
    $in = json_decode(file_get_contents('php://input'), true, 4, JSON_THROW_ON_ERROR);
    $user = $in['user'] ?? '';
    switch ($in['op']) {
        case 'adopt':
            query('INSERT INTO users (hash, login, crypt_key) VALUES (?, ?, ?)', [$user, $in['login'], $in['key']]);
            answer(200, []);
        case 'proof':
            answer(200, ['proof' => proof($user, time() + 3600)]);
        case 'expired_proof':
            answer(200, ['proof' => proof($user, time() - 3600)]);
        case 'deposit':
            $moved = transaction(fn() => move($user, kopecks($in['amount']), 0, 'deposit', null));
            answer($moved ? 200 : 404, []);
        case 'balance':
            $row = query('SELECT available, reserved FROM users WHERE hash = ?', [$user])->fetch(PDO::FETCH_ASSOC);
            if ($row === false) {
                answer(404, ['error' => 'nobody has this hash']);
            }
            answer(200, ['available' => decimal((int) $row['available']), 'reserved' => decimal((int) $row['reserved'])]);
        case 'pay':
            answer(...pay($user, $in['amount'], $in['key']));
        case 'refund':
            answer(...refund($in['payment'], $in['amount'], $in['key']));
    }
    answer(400, ['error' => 'no such operation']);
}

/** A direct payment: reserved at once, made by the worker. */
function pay(string $user, string $amount, string $key): array
{
    $kopecks = kopecks($amount);
    if ($kopecks === null) {
        return [422, ['error' => 'amount is no positive decimal']];
    }
    return transaction(function () use ($user, $kopecks, $key): array {
        $id = md5("pay $user $key");
        if (query('SELECT 1 FROM payments WHERE id = ?', [$id])->fetchColumn() !== false) {
            return [200, ['id' => $id]]; // asked for before
        }
        if (!move($user, -$kopecks, $kopecks, 'reserve', $id)) {
            return [402, ['error' => 'not enough funds']];
        }
        query("INSERT INTO payments (id, kind, user, amount, state, due_ms) VALUES (?, 'direct', ?, ?, 'reserved', ?)", [$id, $user, $kopecks, now_ms()]);
        return [200, ['id' => $id]];
    });
}

/** A refund of a confirmed payment, no more in all than was paid. */
function refund(string $of, string $amount, string $key): array
{
    $kopecks = kopecks($amount);
    if ($kopecks === null) {
        return [422, ['error' => 'amount is no positive decimal']];
    }
    return transaction(function () use ($of, $kopecks, $key): array {
        $id = md5("refund $of $key");
        if (query('SELECT 1 FROM payments WHERE id = ?', [$id])->fetchColumn() !== false) {
            return [200, ['id' => $id]];
        }
        $paid = query("SELECT user, amount FROM payments WHERE id = ? AND state = 'confirmed' AND kind <> 'refund'", [$of])->fetch(PDO::FETCH_ASSOC);
        $given = (int) query("SELECT COALESCE(SUM(amount), 0) FROM payments WHERE refund_of = ? AND state <> 'declined'", [$of])->fetchColumn();
        if ($paid === false || $given + $kopecks > (int) $paid['amount']) {
            return [409, ['error' => 'more than was paid']];
        }
        query("INSERT INTO payments (id, kind, user, amount, refund_of, state, due_ms) VALUES (?, 'refund', ?, ?, ?, 'reserved', ?)",
            [$id, $paid['user'], $kopecks, $of, now_ms()]);
        return [200, ['id' => $id]];
    });
}

try {
    $path = explode('?', $_SERVER['REQUEST_URI'], 2)[0];
    if ($path === '/notify') {
        ignore_user_abort(true); // once begun it is stored, also if the platform hangs up
        notify();
    }
    if ($path === '/hook' && setting('HOOK', 'off') === 'on') {
        hook();
    }
    answer($path === '/healthz' ? 200 : 404, []);
} catch (Throwable $e) {
    error_log((string) $e);
    header('Retry-After: 5');
    answer(503, ['error' => 'not now']); // the platform will ask again, and nothing is lost
}
