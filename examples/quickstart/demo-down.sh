#!/usr/bin/env bash
# Stops the Vault that demo.sh left running, and removes the demo's files. You can run it
# repeatedly. It stops only processes of the demo: the recorded process if it runs with the demo's
# configuration, and plugins from the demo's folder.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=state.sh
source "$here/state.sh"

# The time that Vault has to end by itself, in seconds. It usually takes less than one.
patience=15

if [[ ! -d $demo_state ]]; then
	echo "no demo found: nothing to stop, nothing to remove"
	exit 0
fi

pid=
if [[ -f $demo_pid_file ]]; then
	pid=$(<"$demo_pid_file")
fi

if [[ $pid =~ ^[0-9]+$ ]] && is_demo_vault "$pid"; then
	echo "stopping the demo's Vault (process $pid)"
	# On SIGTERM, Vault also ends its plugin.
	kill "$pid"
	deadline=$((SECONDS + patience))
	while is_demo_vault "$pid"; do
		if ((SECONDS >= deadline)); then
			echo "Vault has not ended within $patience s: killing it"
			kill -KILL "$pid" 2>/dev/null || true
			break
		fi
		sleep 0.1
	done
else
	echo "the demo's Vault is not running"
fi
for pid in $(demo_plugins); do
	echo "killing a plugin that Vault has left behind (process $pid)"
	kill -KILL "$pid" 2>/dev/null || true
done

sockets=$(readlink "$demo_sockets" || true)
if [[ $sockets == */stashbase-demo.?????? ]]; then
	rm -rf -- "$sockets"
fi
rm -rf -- "$demo_state"
# Remove the parent folder too, if it is empty.
rmdir -- "$(dirname -- "$demo_state")" 2>/dev/null || true
echo "removed $demo_state"
