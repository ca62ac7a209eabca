#!/bin/sh
# Starts the workers and the server, for trying it out. In production a service manager does.
set -eu
cd "$(dirname "$0")"
php worker.php recover
for _ in 1 2 3 4 5 6; do
	php worker.php &
done
PHP_CLI_SERVER_WORKERS=6 exec php -d display_errors=stderr -S "$LISTEN" index.php
