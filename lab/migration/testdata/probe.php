<?php
// What a process of the application can do where it runs. Before a migration that is no dry run it
// writes that to shared/var/probe.json; called with "probe" it prints it.

(static function (array $argv): void {
    $migrates = in_array('app:migrate-individuals-to-other-organization', $argv, true) && !in_array('--dry-run', $argv, true);
    $asked = 'probe' === ($argv[1] ?? '');
    $says = __DIR__.'/var/probe.json';
    if (!$asked && (!$migrates || is_file($says))) {
        return;
    }
    $each = static function (array $names, callable $can): array {
        $found = [];
        foreach ($names as $name) {
            $found[$name] = $can($name);
        }

        return $found;
    };
    $status = (string) @file_get_contents('/proc/self/status');
    $field = static fn (string $name): string => preg_match("/^$name:\s*(\S+)/m", $status, $found) ? $found[1] : '';
    $able = [
        'UID' => $field('Uid'),
        'Cwd' => (string) getcwd(),
        'Read' => $each([
            '/var/lib/rp-agent', '/var/lib/rp-agent/receipt_key', '/var/lib/rp-agent/audit.jsonl', '/var/lib/rp-agent/jobs',
            '/var/lib/rp-agent-console', '/var/lib/rp-agent-console/specs', '/var/lib/rp-agent-console/output', '/var/lib/rp-agent-console/ends',
            '/proc/self/fd/1', '/etc/shadow', '/home/app/.ssh/authorized_keys',
        ], static fn (string $path): bool => is_dir($path) ? false !== @scandir($path) : false !== @fopen($path, 'r')),
        'Write' => $each([__DIR__.'/var', dirname(__DIR__).'/releases', '/home/app', '/var/tmp', '/etc', '/var/lib/rp-agent-console/specs'],
            static function (string $dir): bool {
                $file = "$dir/.probe-".getmypid();

                return false !== @file_put_contents($file, 'x') && unlink($file);
            }),
        'Connect' => $each(['/run/dbus/system_bus_socket', '/run/rp-agent.sock'],
            static fn (string $path): bool => false !== @stream_socket_client("unix://$path", $code, $why, 2)),
        // Whoever has a MariaDB before them is greeted with its version.
        'Database' => $each(['unix:///run/mysqld/mysqld.sock', 'tcp://'.gethostname().':3306'],
            static fn (string $at): bool => ($socket = @stream_socket_client($at, $code, $why, 2)) && str_contains((string) fread($socket, 128), 'MariaDB')),
        'NoNewPrivs' => $field('NoNewPrivs'),
        'CapEff' => $field('CapEff'),
        'Seccomp' => $field('Seccomp'),
        'Output' => (string) @readlink('/proc/self/fd/1'),
        'Environment' => getenv(),
        'Processes' => is_dir('/proc/1'),
    ];
    $json = json_encode($able, \JSON_THROW_ON_ERROR | \JSON_UNESCAPED_SLASHES);
    $asked ? print $json : file_put_contents($says, $json);
})($_SERVER['argv']);
