module github.com/re-connect/rpctl

go 1.26
