<?php
// A cart in PHP's own session, which the extension phpredis keeps in Redis: php -S 127.0.0.1:PORT cart.php
// With SESSION_LOCKING=1 phpredis locks a session for as long as a request has it open; without, it does not, as by default.
ini_set('session.save_handler', 'redis');
ini_set('session.save_path', getenv('SESSION_REDIS'));
ini_set('session.use_strict_mode', '1');
ini_set('redis.session.locking_enabled', getenv('SESSION_LOCKING'));
ini_set('redis.session.lock_wait_time', '5000');   // microseconds between two attempts
ini_set('redis.session.lock_retries', '400');
ini_set('display_errors', 'stderr');

function answer(int $status, array $body): never
{
    http_response_code($status);
    header('content-type: application/json');
    echo json_encode($body);
    exit;
}

/** Writes the session back, before anything is promised. */
function save(): void
{
    if (!session_write_close()) {
        answer(503, ['error' => 'the session was not saved']);
    }
}

$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if ($path === '/health') {
    answer(200, []);
}
if (!session_start()) {
    answer(503, ['error' => 'the session was not read']);
}
if ($path === '/login') {
    session_regenerate_id(true);
    $_SESSION = ['user' => json_decode(file_get_contents('php://input'))->user, 'items' => []];
    save();
    answer(200, []);
}
if (!isset($_SESSION['user'])) {
    answer(401, ['error' => 'log in first']);
}
switch ($_SERVER['REQUEST_METHOD'] . ' ' . $path) {
    case 'GET /cart':
        answer(200, $_SESSION);
    case 'POST /cart':
        $_SESSION['items'][] = json_decode(file_get_contents('php://input'))->item;
        save();
        answer(201, []);
    case 'POST /logout':
        // Not session_destroy(): it gives the lock back before it deletes the session, and a request that waited for the lock
        // then reads the session and writes it again.
        $_SESSION = [];
        save();
        answer(200, []);
}
answer(404, []);
