#!/usr/bin/env bash
# Runs the common commands of a KV version 2 user, and beside each of them the command of this
# engine. Both must have the same outcome and print the same.
#
#   VAULT_ADDR, VAULT_TOKEN    a Vault with the plugin registered
#   KV                         the path for the KV engine; default: side-by-side-kv
#   STASHBASE                  the path for this engine; default: side-by-side
#
# The script mounts both engines, and disables them at the end.
set -euo pipefail

export KV=${KV:-side-by-side-kv} STASHBASE=${STASHBASE:-side-by-side}
export SECRET=acme/api/development/DATABASE_URL
steps=0 different=0

title() { printf '\n== %s\n' "$1"; }

# Runs a command. Prints the output of the command, "done" if there is none, or "refused" if the
# command failed. The text is the command itself, so that the reader sees the command that was run.
outcome() {
	local printed
	if printed=$(bash -euo pipefail -c "$1" 2>/dev/null); then
		printf '%s\n' "${printed:-done}"
	else
		printf 'refused\n'
	fi
}

# same KV-COMMAND OUR-COMMAND
same() {
	local theirs ours
	printf '\n  KV    $ %s\n' "$1"
	theirs=$(outcome "$1")
	printf '  here  $ %s\n' "$2"
	ours=$(outcome "$2")
	steps=$((steps + 1))
	if [[ $theirs == "$ours" ]]; then
		printf '%s\n' "$ours" | sed 's/^/          /'
		return
	fi
	different=$((different + 1))
	printf 'DIFFERENT\n  KV:   %s\n  here: %s\n' "$theirs" "$ours"
}

clean_up() {
	vault secrets disable "$KV" >/dev/null 2>&1 || true
	vault secrets disable "$STASHBASE" >/dev/null 2>&1 || true
}
clean_up
trap clean_up EXIT

vault secrets enable -path="$KV" -version=2 kv >/dev/null
vault secrets enable -path="$STASHBASE" vault-plugin-secrets-stashbase >/dev/null
until vault read "$KV/config" >/dev/null 2>&1; do sleep 0.2; done # until KV is ready
vault write -force "$STASHBASE/workspaces/acme" >/dev/null
vault write -force "$STASHBASE/projects/acme/api" >/dev/null
vault write -force "$STASHBASE/environments/acme/api/development" >/dev/null

# shellcheck disable=SC2016 # The shell that runs the command expands the names.
walk() {
	title 'Write and read'
	same 'vault kv put -field=version $KV/DATABASE_URL value=one' 'vault write -field=version $STASHBASE/secrets/$SECRET value=one'
	same 'vault kv get -field=value $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET'
	same 'vault kv put -field=version $KV/DATABASE_URL value=two' 'vault write -field=version $STASHBASE/secrets/$SECRET value=two'
	same 'vault kv get -field=value -version=1 $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET version=1'
	same 'printf three | vault kv put -field=version $KV/DATABASE_URL value=-' 'printf three | vault write -field=version $STASHBASE/secrets/$SECRET value=-'
	same 'vault kv get -field=value $KV/NO_SUCH' 'vault read -field=value $STASHBASE/secrets/acme/api/development/NO_SUCH'
	same 'vault kv list $KV' 'vault list $STASHBASE/secrets/acme/api/development'

	title 'Check and set'
	same 'vault kv put -field=version -cas=2 $KV/DATABASE_URL value=lost' 'vault write -field=version $STASHBASE/secrets/$SECRET value=lost cas=2'
	same 'vault kv put -field=version -cas=3 $KV/DATABASE_URL value=four' 'vault write -field=version $STASHBASE/secrets/$SECRET value=four cas=3'
	same 'vault kv put -field=version -cas=0 $KV/DATABASE_URL value=new' 'vault write -field=version $STASHBASE/secrets/$SECRET value=new cas=0'

	title 'Patch and roll back'
	same 'vault kv patch -field=version $KV/DATABASE_URL value=five' 'vault patch -field=version $STASHBASE/secrets/$SECRET value=five'
	same 'vault kv rollback -version=1 $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/rollback/$SECRET version=1 >/dev/null'
	same 'vault read -field=current_version $KV/metadata/DATABASE_URL' 'vault read -field=version $STASHBASE/metadata/$SECRET'
	same 'vault kv get -field=value $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET'

	title 'Delete, undelete, destroy'
	same 'vault kv delete $KV/DATABASE_URL >/dev/null' 'vault delete $STASHBASE/secrets/$SECRET >/dev/null'
	same 'vault kv get -field=value $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET'
	same 'vault kv get -field=value -version=5 $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET version=5'
	same 'vault kv undelete -versions=6 $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/undelete/$SECRET versions=6 >/dev/null'
	same 'vault kv get -field=value $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET'
	same 'vault kv destroy -versions=1,2 $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/destroy/$SECRET versions=1,2 >/dev/null'
	same 'vault kv get -field=value -version=1 $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET version=1'
	same 'vault kv get -field=value -version=1 $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET version=1'

	title 'Metadata'
	same 'vault kv destroy -versions=3,4 $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/destroy/$SECRET versions=3,4 >/dev/null'
	same 'vault kv metadata put -max-versions=2 -custom-metadata=owner=payments $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/metadata/$SECRET max_versions=2 - <<<'\''{"custom_metadata": {"owner": "payments"}}'\'' >/dev/null'
	same 'vault read -field=custom_metadata $KV/metadata/DATABASE_URL' 'vault read -field=custom_metadata $STASHBASE/metadata/$SECRET'
	same 'vault kv put -field=version $KV/DATABASE_URL value=seven' 'vault write -field=version $STASHBASE/secrets/$SECRET value=seven'
	same 'vault kv get -field=value -version=5 $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET version=5'
	same 'vault read -field=oldest_version $KV/metadata/DATABASE_URL' 'vault read -field=oldest_version $STASHBASE/metadata/$SECRET'
	same 'vault kv metadata put -cas-required $KV/DATABASE_URL >/dev/null' 'vault write $STASHBASE/metadata/$SECRET cas_required=true >/dev/null'
	same 'vault kv put -field=version $KV/DATABASE_URL value=lost' 'vault write -field=version $STASHBASE/secrets/$SECRET value=lost'
	same 'vault kv put -field=version -cas=7 $KV/DATABASE_URL value=eight' 'vault write -field=version $STASHBASE/secrets/$SECRET value=eight cas=7'
	same 'vault kv metadata delete $KV/DATABASE_URL >/dev/null' 'vault delete $STASHBASE/metadata/$SECRET >/dev/null'
	same 'vault kv get -field=value $KV/DATABASE_URL' 'vault read -field=value $STASHBASE/secrets/$SECRET'
	same 'vault kv list $KV' 'vault list $STASHBASE/secrets/acme/api/development'

	title 'A map of values: a KV secret, and here an environment'
	same 'vault kv put $KV/api API_KEY=one LOG_LEVEL=debug >/dev/null' 'vault write $STASHBASE/import/acme/api/development - <<<'\''{"secrets": {"API_KEY": "one", "LOG_LEVEL": "debug"}}'\'' >/dev/null'
	same 'vault kv get -field=API_KEY $KV/api' 'vault kv get -field=API_KEY $STASHBASE/load/acme/api/development'
	same 'vault kv patch $KV/api LOG_LEVEL=info >/dev/null' 'vault write $STASHBASE/secrets/acme/api/development/LOG_LEVEL value=info >/dev/null'
	same 'vault kv get -format=json -field=data $KV/api' 'vault kv get -format=json $STASHBASE/load/acme/api/development | sed -n "/\"data\": {/,/}/p" | sed "1s/.*/{/;s/^  //;\$s/,//"'
}
walk

printf '\n%s of %s steps had the same outcome\n' "$((steps - different))" "$steps"
((different == 0))
