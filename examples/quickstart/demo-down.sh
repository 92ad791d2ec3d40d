#!/usr/bin/env bash
# Stops the Vault that demo.sh left running and removes all it wrote. Safe to
# repeat. Only what is still the demo's is stopped: the recorded process when it
# runs with the demo's configuration, and a plugin from the demo's own folder.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source-path=SCRIPTDIR source=state.sh
source "$here/state.sh"

# Seconds given to Vault to end by itself. It takes well under one.
patience=15

if [[ ! -d $demo_state ]]; then
	echo "the demo is not there: nothing to stop, nothing to remove"
	exit 0
fi

pid=
if [[ -f $demo_pid_file ]]; then
	pid=$(<"$demo_pid_file")
fi

if [[ $pid =~ ^[0-9]+$ ]] && is_demo_vault "$pid"; then
	echo "stopping the demo's Vault (process $pid)"
	# Vault ends its plugin when it is asked to end.
	kill "$pid"
	deadline=$((SECONDS + patience))
	while is_demo_vault "$pid"; do
		if ((SECONDS >= deadline)); then
			echo "it has not ended in $patience s: ending it by force"
			kill -KILL "$pid" 2>/dev/null || true
			break
		fi
		sleep 0.1
	done
else
	echo "the demo's Vault is not running"
fi
for pid in $(demo_plugins); do
	echo "ending the plugin that it left behind (process $pid)"
	kill -KILL "$pid" 2>/dev/null || true
done

sockets=$(readlink "$demo_sockets" || true)
if [[ $sockets == */stashbase-demo.?????? ]]; then
	rm -rf -- "$sockets"
fi
rm -rf -- "$demo_state"
# The folder above is the demo's too, unless something else has moved in.
rmdir -- "$(dirname -- "$demo_state")" 2>/dev/null || true
echo "removed $demo_state"
