// Package story holds the main job to its promises on real hosts: the programs that
// are shipped, a real sshd, systemd and polkit, on both Debian releases. It is tests only.
//
// TestStory goes through a host's life in order: the agent is installed, a developer
// deploys, things go wrong, and the agent is taken away. Its chapters share one lab,
// so that each begins where the one before ended.
package story
