module github.com/stashbase/vault-stashbase/tools/mutate

go 1.26.0
