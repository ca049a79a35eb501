// Package migration holds `rpctl migrate` to its promises on real hosts: the programs that are
// shipped, a real sshd behind a bastion, systemd, polkit, PHP and MariaDB, on both Debian releases. It is
// tests only. What happened is asked of the application's own database, never of the tool.
//
// TestMigration goes through a ticket's life in order: simulated, refused, approved, applied in
// preprod, then in prod. Then a second plan runs into everything that can break in the middle of
// a step. The chapters share one lab, so that each begins where the one before ended.
package migration
