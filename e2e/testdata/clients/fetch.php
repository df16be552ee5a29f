<?php
// Fetches a URL in PHP and prints the body: fetch.php LIBRARY URL [USER PASSWORD]
[, $library, $url] = $argv;
$login = array_slice($argv, 3);

if ($library === 'curl') {
    $handle = curl_init($url);
    curl_setopt_array($handle, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FAILONERROR => true]);
    if ($login) {
        curl_setopt($handle, CURLOPT_USERPWD, implode(':', $login));
    }
    $body = curl_exec($handle);
} elseif ($library === 'stream-header') {
    $header = $login ? ['Authorization: Basic ' . base64_encode(implode(':', $login))] : [];
    $body = file_get_contents($url, false, stream_context_create(['http' => ['header' => $header]]));
} elseif ($library === 'stream-address') {
    $body = file_get_contents($login ? str_replace('://', '://' . implode(':', $login) . '@', $url) : $url);
}
if (!isset($body) || $body === false) {
    exit(1);
}
echo $body;
