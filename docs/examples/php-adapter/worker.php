<?php
// Carries stored payments to their end. Several may run on one database: a payment that is
// being worked on is not due until its claim has run out.
//
//   received ─► reserved ─► confirmed            reserved: the call may have been made `tries` times
//       └─► declining ─► declined                in_doubt: a person has to look
declare(strict_types=1);

require __DIR__ . '/lib.php';

const CLAIM_MS = 60_000;

/** Takes the payment that has been due the longest; null if there is none. */
function claim(): ?array
{
    if (query('SELECT 1 FROM payments WHERE due_ms <= ? LIMIT 1', [now_ms()])->fetchColumn() === false) {
        return null; // without the write lock
    }
    return transaction(function (): ?array {
        $p = query('SELECT * FROM payments WHERE due_ms <= ? ORDER BY due_ms LIMIT 1', [now_ms()])->fetch(PDO::FETCH_ASSOC);
        if ($p === false) {
            return null;
        }
        // The try is counted before the call: whoever comes after a crash knows that one may
        // have been made.
        $p['tries'] = (int) $p['tries'] + ($p['state'] === 'reserved' ? 1 : 0);
        query('UPDATE payments SET due_ms = ?, tries = ? WHERE id = ?', [now_ms() + CLAIM_MS, $p['tries'], $p['id']]);
        $p['amount'] = (int) $p['amount'];
        return $p;
    });
}

/** Sets a payment's state; without $due_ms nobody looks at it again. */
function become(array $p, string $state, ?int $due_ms, ?string $reason = null): void
{
    query('UPDATE payments SET state = ?, due_ms = ?, reason = COALESCE(?, reason) WHERE id = ?', [$state, $due_ms, $reason, $p['id']]);
}

function step(array $p): void
{
    $user = query('SELECT * FROM users WHERE hash = ?', [$p['user']])->fetch(PDO::FETCH_ASSOC);
    switch ($p['state']) {
        case 'received':
            transaction(fn() => move($p['user'], -$p['amount'], $p['amount'], 'reserve', $p['id'])
                ? become($p, 'reserved', now_ms())
                : become($p, 'declining', now_ms(), 'not enough funds'));
            return;
        case 'reserved':
            $outcome = match ($p['kind']) {
                'topup' => call('confirmPayment', $user, ['amount' => decimal($p['amount']), 'transactionId' => $p['id']]),
                'direct' => call('doPayment', $user, ['paymentSum' => decimal($p['amount']), 'paymentHash' => $p['id'], 'userLogin' => $user['login']]),
                'refund' => call('doPayment', $user, ['paymentSum' => decimal(-$p['amount']), 'paymentHash' => $p['id'], 'userLogin' => $user['login']]),
            };
            transaction(fn() => called($p, $outcome));
            return;
        case 'declining':
            $outcome = call('declinePayment', $user, ['transactionId' => $p['id'], 'errorCode' => 1, 'errorMessage' => $p['reason'] ?? 'refused']);
            become($p, $outcome === 'unknown' ? 'declining' : 'declined', $outcome === 'unknown' ? later($p) : null);
            return;
    }
}

/** What a call's outcome means for the money. Wants a transaction. */
function called(array $p, string $outcome): void
{
    if ($outcome === 'ok') {
        $p['kind'] === 'refund'
            ? move($p['user'], $p['amount'], 0, 'refund', $p['id'])
            : move($p['user'], 0, -$p['amount'], 'capture', $p['id']);
        become($p, 'confirmed', null);
    } elseif ($outcome === 'unknown') {
        become($p, 'reserved', later($p)); // the money stays reserved, and the same call is made again
    } elseif ($p['tries'] > 1) {
        become($p, 'in_doubt', null, 'refused, though an earlier call may have landed');
    } else {
        if ($p['kind'] !== 'refund') {
            move($p['user'], $p['amount'], -$p['amount'], 'release', $p['id']);
        }
        become($p, $p['kind'] === 'topup' ? 'declining' : 'declined', $p['kind'] === 'topup' ? now_ms() : null, 'refused by the platform');
    }
}

/** When to try again: pauses double, up to RETRY_MAX_MS. */
function later(array $p): int
{
    return now_ms() + min((int) setting('RETRY_FIRST_MS', '500') * 2 ** min($p['tries'], 20), (int) setting('RETRY_MAX_MS', '600000'));
}

if (($argv[1] ?? '') === 'recover') { // before the first worker starts: nobody holds a claim
    query('UPDATE payments SET due_ms = ? WHERE due_ms IS NOT NULL', [now_ms()]);
    exit;
}
while (true) {
    try {
        $p = claim();
        $p === null ? usleep(5000) : step($p);
    } catch (Throwable $e) {
        error_log((string) $e);
        usleep(200_000);
    }
}
