package lab

// hostsTOML is the inventory of every lab: the aliases are those of SSHConfig.
const hostsTOML = `# The lab's inventory. The aliases are in ssh/config beside this file.
version = 1

[environments.preprod]
hosts = ["rp-preprod"]
branch = "dev"
prepare = [["make", "prepare"]]
deploy = ["make", "deploy-preprod"]
rollback = ["make", "rollback-preprod"]
workers = [
  "messenger_worker_async@*.service",
  "messenger_worker_dmp@*.service",
  "messenger_worker_export@*.service",
]
application = { path = "/home/app/www", user = "app" }
operators = ["app"]

[environments.prod]
hosts = ["rp-prod"]
branch = "main"
prepare = [["make", "prepare"]]
deploy = ["make", "deploy-prod"]
rollback = ["make", "rollback-prod"]
workers = ["messenger_worker@*.service"]
application = { path = "/home/app/www", user = "app" }
operators = ["app"]
after = "preprod"
confirm = true
`
