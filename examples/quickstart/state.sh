#!/usr/bin/env bash
# Where the demo keeps what it needs, and how it recognises its own Vault again.
# demo.sh and demo-down.sh read this file; it does nothing by itself.

# What the demo writes stands in this one folder: Vault's configuration, its log,
# its process id, the copy of the plugin, and the file to source.
demo_state=${XDG_STATE_HOME:-${HOME:?neither XDG_STATE_HOME nor HOME is set}/.local/state}/vault-stashbase/demo
demo_config=$demo_state/vault.hcl
# A link to the folder for the sockets between Vault and its plugins, which lies
# elsewhere: the path of a socket may have about a hundred bytes, and ours may
# already be long.
# shellcheck disable=SC2034 # The scripts that read this file use it.
demo_sockets=$demo_state/sockets
# shellcheck disable=SC2034 # The scripts that read this file use it.
demo_pid_file=$demo_state/vault.pid

# Prints the command line of a process; nothing when there is no such process.
command_line() {
	if [[ -r /proc/$1/cmdline ]]; then
		tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null || true
	elif command -v ps >/dev/null; then
		ps -p "$1" -o args= 2>/dev/null || true
	fi
}

# Whether a process is the demo's Vault. An id alone may have passed to another
# process since; the path of our configuration file has not.
is_demo_vault() {
	[[ $(command_line "$1") == *" server "*"-config=$demo_config"* ]]
}

# Prints the ids of the processes that run a plugin of the demo's folder. A
# Vault that was killed leaves its plugin behind.
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
