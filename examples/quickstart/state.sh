#!/usr/bin/env bash
# Defines where the demo stores its files, and how it recognises its own Vault. demo.sh and
# demo-down.sh source this file; it does nothing by itself.

# The folder with all files of the demo: Vault's configuration, its log, its process id, a copy of
# the plugin, and the file to source.
demo_state=${XDG_STATE_HOME:-${HOME:?neither XDG_STATE_HOME nor HOME is set}/.local/state}/vault-stashbase/demo
demo_config=$demo_state/vault.hcl
# A link to the folder with the sockets between Vault and its plugins. That folder is elsewhere,
# because the path of a socket can have only about a hundred bytes, and this folder's path may be
# long.
# shellcheck disable=SC2034 # The scripts that read this file use it.
demo_sockets=$demo_state/sockets
# shellcheck disable=SC2034 # The scripts that read this file use it.
demo_pid_file=$demo_state/vault.pid

# Prints the command line of a process, or nothing if the process does not exist.
command_line() {
	if [[ -r /proc/$1/cmdline ]]; then
		tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || true
	elif command -v ps >/dev/null; then
		ps -p "$1" -o args= 2>/dev/null || true
	fi
}

# Reports whether a process is the demo's Vault. The system may have assigned the process id to
# another process, but only the demo's Vault has the path of this configuration file in its command
# line.
is_demo_vault() {
	[[ $(command_line "$1") == *" server "*"-config=$demo_config"* ]]
}

# Prints the ids of the processes that run a plugin from the demo's folder. A Vault that was killed
# leaves its plugin running.
demo_plugins() {
	local pid
	if [[ -d /proc/self ]]; then
		(cd /proc && printf '%s\n' [0-9]*)
	else
		ps -A -o pid=
	fi | while read -r pid; do
		if [[ $(command_line "$pid") == "$demo_state/plugins/"* ]]; then
			echo "$pid"
		fi
	done
}
