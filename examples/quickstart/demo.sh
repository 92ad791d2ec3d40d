#!/usr/bin/env bash
# Shows the engine at work in a real Vault: `terraform apply` makes a workspace
# with keys of its own, secrets and a sync; then delivery, a change that arrives
# at the sync's destination, rotation, and what a copied record is worth
# elsewhere. It needs no account and leaves Vault running; demo-down.sh stops it.
#
#   VAULT_BINARY                 the Vault to run; bin/vault of the checkout otherwise
#   TERRAFORM_BINARY             terraform or tofu; bin/tofu otherwise
#   STASHBASE_PLUGIN_BINARY      the plugin; bin/vault-plugin-secrets-stashbase otherwise
#   STASHBASE_PROVIDER_BINARY    the Terraform provider; bin/terraform-provider-stashbase otherwise
#
# Every line that begins with $ is a command as it is run.
set -euo pipefail
umask 077 # what is written holds the demo's token, and values

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=state.sh
source "$here/state.sh"

vault_binary=${VAULT_BINARY:-$root/bin/vault}
plugin_name=vault-plugin-secrets-stashbase
plugin_binary=${STASHBASE_PLUGIN_BINARY:-$root/bin/$plugin_name}
provider_binary=${STASHBASE_PROVIDER_BINARY:-$root/bin/terraform-provider-stashbase}
terraform_binary=${TERRAFORM_BINARY:-$root/bin/tofu}
# The command as it is shown: that of the program in use.
terraform=$(basename -- "$terraform_binary")
# Seconds that Vault, or background work, may take. Both usually take less than one.
patience=60

# The settings of another Vault, and of other Terraform work, on this machine
# must not reach the demo.
unset "${!VAULT_@}" "${!TF_@}"

# ---- showing ---------------------------------------------------------------

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
else
	bold='' dim='' plain=''
fi

title() { printf '\n%s== %s%s\n' "$bold" "$1" "$plain"; }
say() { printf '%s\n' "$@"; }
show() { printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"; }

fail() {
	printf 'demo: %s\n' "$@" >&2
	exit 1
}

# Shows a command, then runs it. The text is the command, so that what is read
# is what has run.
run() {
	local answer
	show "$1"
	answer=$(bash -euo pipefail -c "$1" 2>&1) || fail "the command has failed:" "$answer"
	printf '%s\n' "$answer"
}

# The same for a command whose answer tells nothing new.
run_quietly() {
	local answer
	show "$1"
	answer=$(bash -euo pipefail -c "$1" 2>&1) || fail "the command has failed:" "$answer"
	printf '%sok%s\n' "$dim" "$plain"
}

# The same for a command that must be refused.
run_refused() {
	local answer
	show "$1"
	if answer=$(bash -euo pipefail -c "$1" 2>&1); then
		fail "this should have been refused, and was answered"
	fi
	printf '%s\n' "$answer"
}

# Repeats a check until it holds, and says so when that takes long.
await() {
	local what=$1 start=$SECONDS told=0 waited
	shift
	until "$@"; do
		waited=$((SECONDS - start))
		if ((waited >= patience)); then
			fail "waited $patience s for $what"
		fi
		if ((waited >= told + 5)); then
			told=$waited
			printf '  waiting for %s: %s s\n' "$what" "$waited"
		fi
		sleep 0.1
	done
}

random_hex() { od -An -v -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# ---- a real Vault ----------------------------------------------------------

finished=
clean_up() {
	if [[ -z $finished ]]; then
		echo "demo: it did not come to its end; cleaning up" >&2
		if [[ -f $demo_state/vault.log ]]; then
			grep -E '\[(ERROR|WARN)\]|^Error' "$demo_state/vault.log" | tail -n 20 >&2 || true
		fi
		"$here/demo-down.sh" >&2 || true
	fi
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		if is_free "$port"; then
			echo "$port"
			return
		fi
	done
}

prepare() {
	if [[ -d $demo_state ]]; then
		say "an earlier demo is there: replacing it"
		"$here/demo-down.sh"
	fi
	[[ -x $vault_binary ]] || fail "there is no Vault at $vault_binary: run make demo, or make vault"
	[[ -x $plugin_binary ]] || fail "there is no plugin at $plugin_binary: run make demo, or make build"
	[[ -x $provider_binary ]] || fail "there is no Terraform provider at $provider_binary: run make demo, or make build"
	[[ -x $terraform_binary ]] || fail "there is no Terraform at $terraform_binary: run make demo, or make terraform"
	trap clean_up EXIT
	mkdir -p -- "$demo_state"
	mkdir -- "$demo_state/bin" "$demo_state/plugins"
	ln -s -- "$(mktemp -d "${TMPDIR:-/tmp}/stashbase-demo.XXXXXX")" "$demo_sockets"
	ln -s -- "$(cd -- "$(dirname -- "$vault_binary")" && pwd)/$(basename -- "$vault_binary")" "$demo_state/bin/vault"
	cp -- "$plugin_binary" "$demo_state/plugins/$plugin_name"
	mirror_provider
	# The raw endpoint shows storage below the engine. It is for demonstrations
	# and repairs, and is off where nobody turns it on.
	cat >"$demo_config" <<-HCL
		plugin_directory     = "$demo_state/plugins"
		raw_storage_endpoint = true
		disable_mlock        = true
	HCL
}

# Puts the provider where Terraform and OpenTofu look for it, each under the name
# of its own registry, so that neither asks the network.
mirror_provider() {
	local host folder
	for host in registry.terraform.io registry.opentofu.org; do
		folder=$demo_state/providers/$host/stashbase/stashbase/0.1.0/$(platform)
		mkdir -p -- "$folder"
		cp -- "$provider_binary" "$folder/terraform-provider-stashbase_v0.1.0"
	done
	cat >"$demo_state/terraformrc" <<-HCL
		disable_checkpoint = true
		provider_installation {
		  filesystem_mirror {
		    path = "$demo_state/providers"
		  }
		}
	HCL
	# Terraform keeps a folder in the home folder, which is not the demo's.
	mkdir -- "$demo_state/home"
	cat >"$demo_state/bin/$terraform" <<-SH
		#!/bin/sh
		HOME='$demo_state/home' TF_CLI_CONFIG_FILE='$demo_state/terraformrc' exec '$(cd -- "$(dirname -- "$terraform_binary")" && pwd)/$terraform' "\$@"
	SH
	chmod +x "$demo_state/bin/$terraform"
}

# The platform as Terraform names it: linux_amd64.
platform() {
	local os machine
	os=$(uname -s | tr '[:upper:]' '[:lower:]')
	machine=$(uname -m)
	case $machine in
	x86_64) machine=amd64 ;;
	aarch64) machine=arm64 ;;
	esac
	echo "${os}_$machine"
}

# start_vault PORT: starts Vault in dev mode, which keeps everything in memory.
# The token goes by the environment, where other users of the machine do not see
# it, and is not written to the home folder.
start_vault() {
	VAULT_DEV_ROOT_TOKEN_ID=$root_token TMPDIR=$(readlink "$demo_sockets") \
		nohup "$vault_binary" server -dev -dev-no-store-token \
		-dev-listen-address="127.0.0.1:$1" -config="$demo_config" >"$demo_state/vault.log" 2>&1 </dev/null &
	echo "$!" >"$demo_pid_file"
	disown
	export VAULT_ADDR=http://127.0.0.1:$1 VAULT_TOKEN=$root_token
}

# Dev mode is ready when its KV engine is mounted, which is the last it does.
is_ready() {
	if ! kill -0 "$(<"$demo_pid_file")" 2>/dev/null; then
		return 0 # ended: the caller finds out why
	fi
	vault secrets list >/dev/null 2>&1
}

launch() {
	local attempt port
	root_token=demo-$(random_hex 16)
	for attempt in 1 2 3; do
		port=$(free_port)
		start_vault "$port"
		await "Vault to answer" is_ready
		if kill -0 "$(<"$demo_pid_file")" 2>/dev/null; then
			break
		fi
		if ((attempt == 3)) || ! grep -q 'address already in use' "$demo_state/vault.log"; then
			cat "$demo_state/vault.log" >&2
			fail "Vault has ended"
		fi
	done
	cat >"$demo_state/env" <<-ENV
		# Source this file to talk to the demo's Vault.
		unset VAULT_NAMESPACE VAULT_CACERT VAULT_CAPATH VAULT_FORMAT
		export VAULT_ADDR='$VAULT_ADDR' VAULT_TOKEN='$root_token' PATH="$demo_state/bin:\$PATH"
	ENV
}

# ---- the steps -------------------------------------------------------------

# Values are made up here, at run time, and handed over on standard input or in
# a file: a command line can be seen by other users of the machine.
make_values() {
	printf 'postgres://api:%s@db.acme.example/api' "$(random_hex 8)" >"$work/database-url"
	cat >"$work/.env" <<-DOTENV
		# what the team had in a file until today
		export LOG_LEVEL=debug
		SIGNING_KEY='$(random_hex 16)'
		GREETING="hello,\nworld"
		PRICE=\$5   # a dollar sign is a dollar sign: nothing is expanded
	DOTENV
}

step_plugin() {
	title "The plugin: register it by its checksum, and mount it"
	run_quietly "vault plugin register -sha256=$(checksum "$demo_state/plugins/$plugin_name") secret $plugin_name"
	run_quietly "vault secrets enable -path=stashbase $plugin_name"
	run "vault read stashbase/info"
}

checksum() {
	if command -v sha256sum >/dev/null; then
		sha256sum "$1" | cut -d ' ' -f 1
	else
		shasum -a 256 "$1" | cut -d ' ' -f 1
	fi
}

step_terraform() {
	title "Terraform: a workspace with keys of its own, secrets, and a sync to a KV engine"
	say "The destination: a KV engine, and a token that may do no more than a sync there needs."
	run_quietly "vault secrets enable -path=team-kv -version=2 kv"
	cat >sync.hcl <<-HCL
		path "team-kv/data/api/*"     { capabilities = ["create", "read", "update"] }
		path "team-kv/metadata/api/*" { capabilities = ["list", "read", "delete"] }
	HCL
	run_quietly "vault policy write team-kv-sync sync.hcl"
	say "" "It is handed over as an ephemeral variable, like the secret's value: neither is written to a state."
	export TF_VAR_vault_address=$VAULT_ADDR TF_VAR_sync_token TF_VAR_database_url
	TF_VAR_sync_token=$(vault token create -policy=team-kv-sync -ttl=720h -field=token)
	TF_VAR_database_url=$(<database-url)
	cp -- "$here/main.tf" .
	run_quietly "$terraform init -input=false -no-color"
	run "$terraform apply -auto-approve -input=false -no-color | grep -E '^(stashbase_|Apply)'"
	run "$terraform plan -input=false -no-color -detailed-exitcode | tail -n 4"
	say "" "No value stands in the state:"
	run "grep -cE \"postgres://|\$TF_VAR_sync_token\" terraform.tfstate || true"
	run "vault read stashbase/keys/acme"
}

step_secrets() {
	title "Secrets: a whole dotenv file at once"
	say "The values are made up now, in a folder of the demo."
	run "vault write stashbase/import/acme/api/development content=@.env"
	run "vault list stashbase/secrets/acme/api/development"
}

step_delivery() {
	title "Delivery: a whole environment in one request"
	say "It reads like a KV version 1 secret, so what reads those reads this."
	run "vault kv get stashbase/load/acme/api/development"
	say "" "A workload gets a policy of one line. The engine writes it:"
	run "vault read -field=policy stashbase/policies/workload workspace=acme project=api environment=development | tee workload.hcl"
	run_quietly "vault policy write api-development workload.hcl"
	run_quietly "vault token create -policy=api-development -ttl=1h -field=token > workload-token"
	run "VAULT_TOKEN=\$(cat workload-token) vault kv get -field=GREETING stashbase/load/acme/api/development"
	say "" "That token reads nothing else:"
	run_refused "VAULT_TOKEN=\$(cat workload-token) vault read stashbase/secrets/acme/api/development/DATABASE_URL"
}

arrived() { [[ $(vault kv get -mount=team-kv -field=value "api/development/$1" 2>/dev/null) == "$2" ]]; }

is_synced() { [[ $(vault read -field=state "$sync/status" 2>/dev/null) == SYNCED ]]; }

step_sync() {
	title "The sync: the environment in the KV engine, by itself"
	sync=stashbase/syncs/acme/api/development/vault-kv/team
	await "the secrets at the destination" arrived PRICE "\$5"
	await "the sync" is_synced
	run "vault kv list -mount=team-kv api/development"
	run "vault kv get -mount=team-kv -field=value api/development/DATABASE_URL"
	run "vault read $sync/status"
	say "" "A secret of somebody else there is left alone:"
	run_quietly "vault kv put -mount=team-kv api/development/THEIRS value=theirs"
	say "" "A change arrives:"
	run "vault write -field=version stashbase/secrets/acme/api/development/LOG_LEVEL value=warn comment='less noise'"
	await "the change at the destination" arrived LOG_LEVEL warn
	run "vault kv get -mount=team-kv -field=value api/development/LOG_LEVEL"
	say "" "A deleted secret goes there too:"
	run_quietly "vault delete stashbase/secrets/acme/api/development/PRICE"
	await "the deletion at the destination" gone PRICE
	run "vault kv list -mount=team-kv api/development"
}

gone() { ! vault kv get -mount=team-kv "api/development/$1" >/dev/null 2>&1; }

step_versions() {
	title "Versions: a write keeps what was there"
	run "vault read -field=value stashbase/secrets/acme/api/development/LOG_LEVEL"
	run "vault read -field=value stashbase/secrets/acme/api/development/LOG_LEVEL version=1"
}

is_rewrapped() {
	local state
	state=$(vault read -field=rewrap "$1") || return 1
	[[ $state == *"state:$2"* ]]
}

step_rotation() {
	title "Rotation: the workspace's key, then the master key"
	run "vault kv metadata get -mount=team-kv api/development/LOG_LEVEL | grep current_version"
	say "" "A new key version in constant time; what is stored is sealed again in the background."
	run_quietly "vault write -force stashbase/keys/acme/rotate"
	await "the rewrap" is_rewrapped stashbase/keys/acme "done"
	run "vault read stashbase/keys/acme"
	say "" "The master key wraps the workspaces' keys: rotating it touches no secret."
	run_quietly "vault write -force stashbase/master-key/rotate"
	await "the master key's rewrap" is_rewrapped stashbase/master-key idle
	run "vault read stashbase/master-key"
	say "" "Nothing has changed for a reader, and nothing was pushed: the destination has the version it had before."
	run "vault read -field=value stashbase/secrets/acme/api/development/LOG_LEVEL version=1"
	run_quietly "vault write $sync/run wait=10s"
	run "vault kv metadata get -mount=team-kv api/development/LOG_LEVEL | grep current_version"
}

# The only environment folder in storage that is not the one given.
secrets_folder() { vault list -format=yaml "$raw/sec/" | sed -n 's/^- //p' | tr -d '/' | grep -vxF "${1:-none}"; }

step_isolation() {
	title "Isolation: one tenant's record is worthless under another"
	say "A second workspace, with the same names in it:"
	raw=sys/raw/logical/$(vault read -field=uuid sys/mounts/stashbase)
	acme=$raw/sec/$(secrets_folder)
	run_quietly "vault write -force stashbase/workspaces/globex"
	run_quietly "vault write -force stashbase/projects/globex/api"
	run_quietly "vault write -force stashbase/environments/globex/api/development"
	printf 'postgres://api:%s@db.globex.example/api' "$(random_hex 8)" >"$work/globex-url"
	run_quietly "vault write stashbase/secrets/globex/api/development/DATABASE_URL value=@globex-url"
	globex=$raw/sec/$(secrets_folder "${acme##*/}")
	say "" "With Vault's raw endpoint, which sees storage below the engine, acme's record is put in the place of globex's:"
	run_quietly "vault read -field=value $globex/DATABASE_URL encoding=base64 compressed=false > globex-record"
	run_quietly "vault read -field=value $acme/DATABASE_URL encoding=base64 compressed=false > acme-record"
	run_quietly "vault write $globex/DATABASE_URL value=@acme-record encoding=base64 compression_type=''"
	say "" "The plugin is reloaded, so that it reads storage again. Then globex asks for its secret:"
	run_quietly "vault plugin reload -type=secret -plugin=$plugin_name"
	run_refused "vault read stashbase/secrets/globex/api/development/DATABASE_URL"
	say "" "acme's own, where it belongs, opens; and globex's does again once it is back:"
	run_quietly "vault read stashbase/secrets/acme/api/development/DATABASE_URL"
	run_quietly "vault write $globex/DATABASE_URL value=@globex-record encoding=base64 compression_type=''"
	run_quietly "vault plugin reload -type=secret -plugin=$plugin_name"
	run "vault read -field=value stashbase/secrets/globex/api/development/DATABASE_URL"
}

farewell() {
	title "Now you"
	cat <<-TEXT
		Vault runs on at $VAULT_ADDR, with everything in memory. Connect a shell to it:

		    . $demo_state/env

		Then try:

		    vault path-help stashbase
		    vault kv get stashbase/load/acme/api/development
		    vault read $sync/plan
		    vault kv put -mount=team-kv api/development/NEW value=theirs    # then write NEW here: a conflict, until it is adopted
		    vault read stashbase/metadata/acme/api/development/DATABASE_URL
		    vault write stashbase/secrets/acme/api/production/DATABASE_URL value=-    # type it, then Ctrl-D
		    vault list -detailed stashbase/policies
		    vault write stashbase/workspaces/globex deletion_allowed=true
		    vault delete stashbase/workspaces/globex confirm=globex     # shreds it: its keys are gone at once

		Its log is $demo_state/vault.log. Stop it, and remove what it wrote:

		    make demo-down
	TEXT
}

prepare
title "A real Vault, in dev mode"
say "binary: $vault_binary ($("$vault_binary" version))"
PATH=$demo_state/bin:$PATH
launch
say "address: $VAULT_ADDR"
work=$demo_state/work
mkdir -- "$work"
cd -- "$work"
make_values

step_plugin
step_terraform
step_secrets
step_delivery
step_sync
step_versions
step_rotation
step_isolation
finished=yes
farewell
