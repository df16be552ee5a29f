<?php
// Fetches an address in one of PHP's ways: fetch.php WAY URL [USER PASSWORD]. It prints the body.
[, $way, $url] = $argv;
$login = array_slice($argv, 3);

if ($way === 'curl') {
    $handle = curl_init($url);
    curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true]);
    if ($login) {
        curl_setopt($handle, CURLOPT_USERPWD, implode(':', $login));
    }
    $body = curl_exec($handle);
} elseif ($way === 'stream-header') {
    $header = $login ? ['Authorization: Basic ' . base64_encode(implode(':', $login))] : [];
    $body = file_get_contents($url, false, stream_context_create(['http' => ['header' => $header]]));
} elseif ($way === 'stream-address') {
    $body = file_get_contents($login ? str_replace('://', '://' . implode(':', $login) . '@', $url) : $url);
}
if (!isset($body) || $body === false) {
    exit(1);
}
echo $body;
