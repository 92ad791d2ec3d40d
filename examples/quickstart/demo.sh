#!/usr/bin/env bash
# Shows the engine at work in a real Vault. `terraform apply` creates a workspace with its own keys,
# secrets and a sync. The next steps show delivery, a change that arrives at the sync's destination,
# rotation, and a copied record that does not open elsewhere. The demo needs no account. It leaves
# Vault running; demo-down.sh stops it.
#
#   VAULT_BINARY                 the Vault to run; default: bin/vault of the checkout
#   TERRAFORM_BINARY             terraform or tofu; default: bin/tofu
#   STASHBASE_PLUGIN_BINARY      the plugin; default: bin/vault-plugin-secrets-stashbase
#   STASHBASE_PROVIDER_BINARY    the Terraform provider; default: bin/terraform-provider-stashbase
#
# In the output, every line that begins with $ is the command that the demo runs.
set -euo pipefail
umask 077 # the files contain the demo's token, and values

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
root=$(cd -- "$here/../.." && pwd)
# shellcheck source-path=SCRIPTDIR source=state.sh
source "$here/state.sh"

vault_binary=${VAULT_BINARY:-$root/bin/vault}
plugin_name=vault-plugin-secrets-stashbase
plugin_binary=${STASHBASE_PLUGIN_BINARY:-$root/bin/$plugin_name}
provider_binary=${STASHBASE_PROVIDER_BINARY:-$root/bin/terraform-provider-stashbase}
terraform_binary=${TERRAFORM_BINARY:-$root/bin/tofu}
# The name of the Terraform command in the output.
terraform=$(basename -- "$terraform_binary")
# The maximum wait for Vault or for background work, in seconds. Both usually take less than one.
patience=60

# The settings of another Vault, or of other Terraform work, must not affect the demo.
unset "${!VAULT_@}" "${!TF_@}"

# ---- output ----------------------------------------------------------------

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

# Shows a command, then runs it. Both use the same text, so that the reader sees the command that
# was run.
run() {
	local output
	show "$1"
	output=$(bash -euo pipefail -c "$1" 2>&1) || fail "the command has failed:" "$output"
	printf '%s\n' "$output"
}

# Like run, for a command whose output is of no interest.
run_quietly() {
	local output
	show "$1"
	output=$(bash -euo pipefail -c "$1" 2>&1) || fail "the command has failed:" "$output"
	printf '%sok%s\n' "$dim" "$plain"
}

# Like run, for a command that must fail.
run_refused() {
	local output
	show "$1"
	if output=$(bash -euo pipefail -c "$1" 2>&1); then
		fail "the command should have been refused, but it succeeded"
	fi
	printf '%s\n' "$output"
}

# await WHAT COMMAND...: repeats a check until it succeeds. Prints a line every few seconds.
await() {
	local what=$1 start=$SECONDS reported=0 waited
	shift
	until "$@"; do
		waited=$((SECONDS - start))
		if ((waited >= patience)); then
			fail "waited $patience s for $what"
		fi
		if ((waited >= reported + 5)); then
			reported=$waited
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
		echo "demo: stopped before its end; cleaning up" >&2
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
		say "found an earlier demo: replacing it"
		"$here/demo-down.sh"
	fi
	[[ -x $vault_binary ]] || fail "no Vault at $vault_binary: run make demo, or make vault"
	[[ -x $plugin_binary ]] || fail "no plugin at $plugin_binary: run make demo, or make build"
	[[ -x $provider_binary ]] || fail "no Terraform provider at $provider_binary: run make demo, or make build"
	[[ -x $terraform_binary ]] || fail "no Terraform at $terraform_binary: run make demo, or make terraform"
	trap clean_up EXIT
	mkdir -p -- "$demo_state"
	mkdir -- "$demo_state/bin" "$demo_state/plugins"
	ln -s -- "$(mktemp -d "${TMPDIR:-/tmp}/stashbase-demo.XXXXXX")" "$demo_sockets"
	ln -s -- "$(cd -- "$(dirname -- "$vault_binary")" && pwd)/$(basename -- "$vault_binary")" "$demo_state/bin/vault"
	cp -- "$plugin_binary" "$demo_state/plugins/$plugin_name"
	mirror_provider
	# The raw endpoint gives access to storage below the engine. It is meant for demonstrations and
	# repairs, and disabled by default.
	cat >"$demo_config" <<-HCL
		plugin_directory     = "$demo_state/plugins"
		raw_storage_endpoint = true
		disable_mlock        = true
	HCL
}

# Copies the provider to a mirror folder, once under the name of each registry, so that neither
# Terraform nor OpenTofu uses the network.
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
	# Terraform stores files in the home folder. The demo gives it a home folder of its own.
	mkdir -- "$demo_state/home"
	cat >"$demo_state/bin/$terraform" <<-SH
		#!/bin/sh
		HOME='$demo_state/home' TF_CLI_CONFIG_FILE='$demo_state/terraformrc' exec '$(cd -- "$(dirname -- "$terraform_binary")" && pwd)/$terraform' "\$@"
	SH
	chmod +x "$demo_state/bin/$terraform"
}

# Prints the platform as Terraform names it, such as linux_amd64.
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

# start_vault PORT: starts Vault in dev mode, which keeps everything in memory. The token is passed
# in the environment, which other users of the machine cannot see, and is not stored in the home
# folder.
start_vault() {
	VAULT_DEV_ROOT_TOKEN_ID=$root_token TMPDIR=$(readlink "$demo_sockets") \
		nohup "$vault_binary" server -dev -dev-no-store-token \
		-dev-listen-address="127.0.0.1:$1" -config="$demo_config" >"$demo_state/vault.log" 2>&1 </dev/null &
	echo "$!" >"$demo_pid_file"
	disown
	export VAULT_ADDR=http://127.0.0.1:$1 VAULT_TOKEN=$root_token
}

# Dev mode is ready when its KV engine is mounted, because it does this last.
is_ready() {
	if ! kill -0 "$(<"$demo_pid_file")" 2>/dev/null; then
		return 0 # Vault has ended: the caller reports the reason
	fi
	vault secrets list >/dev/null 2>&1
}

launch() {
	local attempt port
	root_token=demo-$(random_hex 16)
	for attempt in 1 2 3; do
		port=$(free_port)
		start_vault "$port"
		await "Vault to respond" is_ready
		if kill -0 "$(<"$demo_pid_file")" 2>/dev/null; then
			break
		fi
		if ((attempt == 3)) || ! grep -q 'address already in use' "$demo_state/vault.log"; then
			cat "$demo_state/vault.log" >&2
			fail "Vault has ended"
		fi
	done
	cat >"$demo_state/env" <<-ENV
		# Source this file to use the demo's Vault.
		unset VAULT_NAMESPACE VAULT_CACERT VAULT_CAPATH VAULT_FORMAT
		export VAULT_ADDR='$VAULT_ADDR' VAULT_TOKEN='$root_token' PATH="$demo_state/bin:\$PATH"
	ENV
}

# ---- the steps -------------------------------------------------------------

# The values are random. They are passed on standard input or in a file, because other users of the
# machine can see a command line.
make_values() {
	printf 'postgres://api:%s@db.acme.example/api' "$(random_hex 8)" >"$work/database-url"
	cat >"$work/.env" <<-DOTENV
		# the team's values until today
		export LOG_LEVEL=debug
		SIGNING_KEY='$(random_hex 16)'
		GREETING="hello,\nworld"
		PRICE=\$5   # nothing is expanded: a dollar sign is a dollar sign
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
	title "Terraform: a workspace with its own keys, secrets, and a sync to a KV engine"
	say "The destination is a KV engine. The token has only the rights that a sync there needs."
	run_quietly "vault secrets enable -path=team-kv -version=2 kv"
	cat >sync.hcl <<-HCL
		path "team-kv/data/api/*"     { capabilities = ["create", "read", "update"] }
		path "team-kv/metadata/api/*" { capabilities = ["list", "read", "delete"] }
	HCL
	run_quietly "vault policy write team-kv-sync sync.hcl"
	say "" "The token and the secret's value are ephemeral variables: neither is written to the state."
	export TF_VAR_vault_address=$VAULT_ADDR TF_VAR_sync_token TF_VAR_database_url
	TF_VAR_sync_token=$(vault token create -policy=team-kv-sync -ttl=720h -field=token)
	TF_VAR_database_url=$(<database-url)
	cp -- "$here/main.tf" .
	run_quietly "$terraform init -input=false -no-color"
	run "$terraform apply -auto-approve -input=false -no-color | grep -E '^(stashbase_|Apply)'"
	run "$terraform plan -input=false -no-color -detailed-exitcode | tail -n 4"
	say "" "The state contains no value:"
	run "grep -cE \"postgres://|\$TF_VAR_sync_token\" terraform.tfstate || true"
	run "vault read stashbase/keys/acme"
}

step_secrets() {
	title "Secrets: a whole dotenv file at once"
	say "The demo has just created the file, with random values."
	run "vault write stashbase/import/acme/api/development content=@.env"
	run "vault list stashbase/secrets/acme/api/development"
}

step_delivery() {
	title "Delivery: a whole environment in one request"
	say "It has the format of a KV version 1 secret, so existing clients work unchanged."
	run "vault kv get stashbase/load/acme/api/development"
	say "" "A workload needs a policy of one rule. The engine generates it:"
	run "vault read -field=policy stashbase/policies/workload workspace=acme project=api environment=development | tee workload.hcl"
	run_quietly "vault policy write api-development workload.hcl"
	run_quietly "vault token create -policy=api-development -ttl=1h -field=token > workload-token"
	run "VAULT_TOKEN=\$(cat workload-token) vault kv get -field=GREETING stashbase/load/acme/api/development"
	say "" "The token can read nothing else:"
	run_refused "VAULT_TOKEN=\$(cat workload-token) vault read stashbase/secrets/acme/api/development/DATABASE_URL"
}

arrived() { [[ $(vault kv get -mount=team-kv -field=value "api/development/$1" 2>/dev/null) == "$2" ]]; }

is_synced() { [[ $(vault read -field=state "$sync/status" 2>/dev/null) == SYNCED ]]; }

step_sync() {
	title "The sync: the environment arrives in the KV engine by itself"
	sync=stashbase/syncs/acme/api/development/vault-kv/team
	await "the secrets at the destination" arrived PRICE "\$5"
	await "the sync" is_synced
	run "vault kv list -mount=team-kv api/development"
	run "vault kv get -mount=team-kv -field=value api/development/DATABASE_URL"
	run "vault read $sync/status"
	say "" "The sync does not change a secret that somebody else has written there:"
	run_quietly "vault kv put -mount=team-kv api/development/THEIRS value=theirs"
	say "" "A change arrives:"
	run "vault write -field=version stashbase/secrets/acme/api/development/LOG_LEVEL value=warn comment='less noise'"
	await "the change at the destination" arrived LOG_LEVEL warn
	run "vault kv get -mount=team-kv -field=value api/development/LOG_LEVEL"
	say "" "A deleted secret is deleted there too:"
	run_quietly "vault delete stashbase/secrets/acme/api/development/PRICE"
	await "the deletion at the destination" gone PRICE
	run "vault kv list -mount=team-kv api/development"
}

gone() { ! vault kv get -mount=team-kv "api/development/$1" >/dev/null 2>&1; }

step_versions() {
	title "Versions: a write keeps the previous version"
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
	say "" "A new key version takes constant time. Stored records are sealed again in the background."
	run_quietly "vault write -force stashbase/keys/acme/rotate"
	await "the rewrap" is_rewrapped stashbase/keys/acme "done"
	run "vault read stashbase/keys/acme"
	say "" "The master key wraps the workspaces' keys. Its rotation writes no secret."
	run_quietly "vault write -force stashbase/master-key/rotate"
	await "the master key's rewrap" is_rewrapped stashbase/master-key idle
	run "vault read stashbase/master-key"
	say "" "Nothing has changed for readers, and the sync has written nothing: the destination has the same version."
	run "vault read -field=value stashbase/secrets/acme/api/development/LOG_LEVEL version=1"
	run_quietly "vault write $sync/run wait=10s"
	run "vault kv metadata get -mount=team-kv api/development/LOG_LEVEL | grep current_version"
}

# Prints the environment folder in storage that is not the given one.
secrets_folder() { vault list -format=yaml "$raw/sec/" | sed -n 's/^- //p' | tr -d '/' | grep -vxF "${1:-none}"; }

step_isolation() {
	title "Isolation: one tenant's record does not open under another tenant"
	say "Create a second workspace that contains the same names:"
	raw=sys/raw/logical/$(vault read -field=uuid sys/mounts/stashbase)
	acme=$raw/sec/$(secrets_folder)
	run_quietly "vault write -force stashbase/workspaces/globex"
	run_quietly "vault write -force stashbase/projects/globex/api"
	run_quietly "vault write -force stashbase/environments/globex/api/development"
	printf 'postgres://api:%s@db.globex.example/api' "$(random_hex 8)" >"$work/globex-url"
	run_quietly "vault write stashbase/secrets/globex/api/development/DATABASE_URL value=@globex-url"
	globex=$raw/sec/$(secrets_folder "${acme##*/}")
	say "" "Vault's raw endpoint accesses storage below the engine. Overwrite the record of globex with the record of acme:"
	run_quietly "vault read -field=value $globex/DATABASE_URL encoding=base64 compressed=false > globex-record"
	run_quietly "vault read -field=value $acme/DATABASE_URL encoding=base64 compressed=false > acme-record"
	run_quietly "vault write $globex/DATABASE_URL value=@acme-record encoding=base64 compression_type=''"
	say "" "Reload the plugin, so that it reads storage again. Then read the secret of globex:"
	run_quietly "vault plugin reload -type=secret -plugin=$plugin_name"
	run_refused "vault read stashbase/secrets/globex/api/development/DATABASE_URL"
	say "" "The record of acme opens in its own place. The record of globex opens again after it is restored:"
	run_quietly "vault read stashbase/secrets/acme/api/development/DATABASE_URL"
	run_quietly "vault write $globex/DATABASE_URL value=@globex-record encoding=base64 compression_type=''"
	run_quietly "vault plugin reload -type=secret -plugin=$plugin_name"
	run "vault read -field=value stashbase/secrets/globex/api/development/DATABASE_URL"
}

farewell() {
	title "Now you"
	cat <<-TEXT
		Vault keeps running at $VAULT_ADDR, with everything in memory. Connect a shell to it:

		    . $demo_state/env

		Then try:

		    vault path-help stashbase
		    vault kv get stashbase/load/acme/api/development
		    vault read $sync/plan
		    vault kv put -mount=team-kv api/development/NEW value=theirs    # then write NEW here: a conflict, until you adopt it
		    vault read stashbase/metadata/acme/api/development/DATABASE_URL
		    vault write stashbase/secrets/acme/api/production/DATABASE_URL value=-    # type it, then Ctrl-D
		    vault list -detailed stashbase/policies
		    vault write stashbase/workspaces/globex deletion_allowed=true
		    vault delete stashbase/workspaces/globex confirm=globex     # shreds it: destroys its keys immediately

		The log is $demo_state/vault.log. Stop the demo, and remove its files:

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
