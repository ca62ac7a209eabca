<?php
// A small adapter for Integra in plain PHP: what it must get right, and nothing else.
//
// index.php takes notifications and stores them; worker.php reserves, confirms or declines,
// captures or releases. Everything is in one SQLite file. Sums are whole kopecks.
declare(strict_types=1);

function setting(string $name, ?string $default = null): string
{
    $value = getenv($name);
    if ($value === false || $value === '') {
        if ($default === null) {
            throw new RuntimeException("$name is not set");
        }
        return $default;
    }
    return $value;
}

function now_ms(): int
{
    return (int) floor(microtime(true) * 1000);
}

/** The database, with its tables. */
function db(): PDO
{
    static $db = null;
    if ($db !== null) {
        return $db;
    }
    $db = new PDO('sqlite:' . setting('DATABASE'), null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
    $db->exec('PRAGMA busy_timeout = 10000');
    $db->exec('PRAGMA journal_mode = WAL');
    $db->exec('PRAGMA synchronous = FULL'); // an answer 200 is a promise that outlives a power cut
    $db->exec('CREATE TABLE IF NOT EXISTS users (
        hash TEXT PRIMARY KEY, login TEXT NOT NULL, crypt_key TEXT NOT NULL,
        available INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
        reserved  INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0)) WITHOUT ROWID');
    $db->exec('CREATE TABLE IF NOT EXISTS payments (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, user TEXT NOT NULL, amount INTEGER NOT NULL CHECK (amount > 0),
        refund_of TEXT, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0,
        due_ms INTEGER, reason TEXT) WITHOUT ROWID');
    $db->exec('CREATE INDEX IF NOT EXISTS payments_due ON payments (due_ms) WHERE due_ms IS NOT NULL');
    // Every change of a balance, never changed itself.
    $db->exec('CREATE TABLE IF NOT EXISTS entries (
        num INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, user TEXT NOT NULL, payment TEXT, what TEXT NOT NULL,
        available INTEGER NOT NULL, reserved INTEGER NOT NULL)');
    return $db;
}

function query(string $sql, array $values = []): PDOStatement
{
    $statement = db()->prepare($sql);
    $statement->execute($values);
    return $statement;
}

/** Runs $do in a transaction that holds the write lock from its beginning. */
function transaction(callable $do): mixed
{
    db()->exec('BEGIN IMMEDIATE');
    try {
        $result = $do();
        db()->exec('COMMIT');
        return $result;
    } catch (Throwable $e) {
        db()->exec('ROLLBACK');
        throw $e;
    }
}

/** Moves a user's money; false, and nothing moved, if there is not enough. Wants a transaction. */
function move(string $user, int $available, int $reserved, string $what, ?string $payment): bool
{
    $changed = query(
        'UPDATE users SET available = available + :a, reserved = reserved + :r
         WHERE hash = :user AND available + :a >= 0 AND reserved + :r >= 0',
        ['a' => $available, 'r' => $reserved, 'user' => $user]
    )->rowCount();
    if ($changed !== 1) {
        return false;
    }
    query('INSERT INTO entries (at_ms, user, payment, what, available, reserved) VALUES (?, ?, ?, ?, ?, ?)',
        [now_ms(), $user, $payment, $what, $available, $reserved]);
    return true;
}

/** Kopecks of a positive decimal with at most two digits after the point; null for all else. */
function kopecks(string $text): ?int
{
    if (!preg_match('/^(0|[1-9][0-9]{0,12})(?:\.([0-9]{1,2}))?$/D', $text, $m)) {
        return null;
    }
    $sum = (int) $m[1] * 100 + (int) str_pad($m[2] ?? '', 2, '0');
    return $sum > 0 ? $sum : null;
}

function decimal(int $kopecks): string
{
    $sign = $kopecks < 0 ? '-' : '';
    $kopecks = abs($kopecks);
    return sprintf('%s%d.%02d', $sign, intdiv($kopecks, 100), $kopecks % 100);
}

function is_hash(string $text): bool
{
    return preg_match('/^[0-9A-Za-z]{32}$/D', $text) === 1;
}

/** What vouches for notifications about a user: expiry and signature. */
function proof(string $user, int $expires): string
{
    return $expires . '-' . hash_hmac('sha256', "$user $expires", setting('SECRET'));
}

function proven(string $user, string $proof): bool
{
    [$expires] = explode('-', $proof);
    return ctype_digit($expires) && strlen($expires) < 12 && (int) $expires > time() && hash_equals(proof($user, (int) $expires), $proof);
}

/** The cipher "simple": byte i of the text plus byte i-1 of the key, around. */
function encrypt(string $plain, string $key): string
{
    $n = strlen($key);
    for ($i = 0; $i < strlen($plain); $i++) {
        $plain[$i] = chr((ord($plain[$i]) + ord($key[($i + $n - 1) % $n])) % 256);
    }
    return base64_encode($plain);
}

/**
 * Calls a method of the platform for a user. The outcome is 'ok', 'refused' or 'unknown':
 * only an envelope that says so refuses.
 */
function call(string $method, array $user, array $arguments): string
{
    $k = 'zaa' . $user['hash'] . encrypt(json_encode($arguments, JSON_THROW_ON_ERROR), $user['crypt_key']);
    $curl = curl_init(setting('PLATFORM_URL') . '/' . setting('PARTNER_PATH') . "/$method?k=" . rawurlencode($k));
    curl_setopt_array($curl, [
        CURLOPT_POST => true, CURLOPT_POSTFIELDS => '', CURLOPT_HTTPHEADER => ['Content-Type: application/json'],
        CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT_MS => (int) setting('CALL_TIMEOUT_MS', '5000'),
        CURLOPT_MAXFILESIZE => 1 << 20,
    ]);
    $body = curl_exec($curl);
    $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
    curl_close($curl);
    $answer = is_string($body) ? json_decode($body, true) : null;
    if ($status >= 500 || !is_array($answer) || !is_bool($answer['error'] ?? null) || !is_int($answer['status']['code'] ?? null)) {
        return 'unknown';
    }
    return $answer['error'] || $answer['status']['code'] !== 0 ? 'refused' : 'ok';
}
