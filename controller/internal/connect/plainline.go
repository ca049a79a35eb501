package connect

import (
	"regexp"
	"strings"
	"sync"
)

// plainLine splits a line into its keyword, lower case, and its value; empty for a line that says nothing.
func plainLine(line string) (keyword, value string, err error) {
	line = strings.Trim(line, " \t\r\f")
	if line == "" || line[0] == '#' {
		return "", "", nil
	}
	end := strings.IndexAny(line, " \t=")
	if end <= 0 {
		return "", "", errNotPlain
	}
	keyword, value = strings.ToLower(line[:end]), strings.Trim(line[end:], " \t")
	if rest, ok := strings.CutPrefix(value, "="); ok {
		value = strings.Trim(rest, " \t")
	}
	if value == "" || strings.ContainsAny(keyword, `"#\`) {
		return "", "", errNotPlain
	}
	if !plainValue(keyword, value) { // quotes and comments behind a value among others: versions of ssh differ
		return "", "", errNotPlain
	}
	return keyword, value, nil
}

// plainForms are the values of which ssh makes what they say; a keyword that has none here is not
// plain at all. They are compiled when they are needed: rpctl --help needs none.
var plainForms = sync.OnceValue(func() map[string]*regexp.Regexp {
	const file = `(~/|/)([A-Za-z0-9_./@:+-]|%[hrpn])*` // %C is left to ssh: its versions hash different things
	one, several := regexp.MustCompile(`^(none|`+file+`)$`), regexp.MustCompile(`^(none|`+file+`( +`+file+`)*)$`)
	return map[string]*regexp.Regexp{
		"host":                 regexp.MustCompile(`^!?[A-Za-z0-9_.:*?-]+( +!?[A-Za-z0-9_.:*?-]+)*$`),
		"include":              regexp.MustCompile(`^(~/|/)?[A-Za-z0-9_.*/-]+( +(~/|/)?[A-Za-z0-9_.*/-]+)*$`),
		"hostname":             regexp.MustCompile(`^(%h|[a-z0-9_.:-])+$`),
		"port":                 regexp.MustCompile(`^[1-9][0-9]{0,4}$`),
		"user":                 regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$`),
		"identityfile":         one,
		"identitiesonly":       regexp.MustCompile(`^(yes|no)$`),
		"identityagent":        regexp.MustCompile(`^(none|SSH_AUTH_SOCK|(~/|/)[A-Za-z0-9_./@:+-]*)$`),
		"proxyjump":            regexp.MustCompile(`^[A-Za-z0-9_.@:,-]+$`),
		"userknownhostsfile":   several,
		"globalknownhostsfile": several,
		"hostkeyalias":         regexp.MustCompile(`^[a-z0-9_.-]+$`),
		"controlpath":          one,
		"connecttimeout":       regexp.MustCompile(`^[1-9][0-9]{0,4}$`),
		"canonicalizehostname": regexp.MustCompile(`^no$`),
	}
})

// plainValue says that there is no doubt what a keyword with this value means.
func plainValue(keyword, value string) bool {
	if harmlessKeywords[keyword] {
		return true
	}
	form := plainForms()[keyword]
	return form != nil && form.MatchString(value)
}

// harmlessKeywords change nothing of what this package makes of a configuration, whatever their
// value is (ssh_config(5) of OpenSSH 10).
var harmlessKeywords = wordSet(`
	addkeystoagent addressfamily batchmode bindaddress bindinterface casignaturealgorithms certificatefile channeltimeout
	checkhostip ciphers clearallforwardings compression connectionattempts controlmaster controlpersist dynamicforward
	enableescapecommandline enablesshkeysign escapechar exitonforwardfailure fingerprinthash forkafterauthentication
	forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports gssapiauthentication gssapidelegatecredentials
	hashknownhosts hostbasedacceptedalgorithms hostbasedauthentication hostkeyalgorithms ipqos kbdinteractiveauthentication
	kbdinteractivedevices kexalgorithms localcommand localforward loglevel logverbose macs nohostauthenticationforlocalhost
	numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand permitremoteopen pkcs11provider
	preferredauthentications pubkeyacceptedalgorithms pubkeyauthentication rekeylimit remotecommand remoteforward requesttty
	requiredrsasize revokedhostkeys securitykeyprovider sendenv serveralivecountmax serveraliveinterval sessiontype setenv
	stdinnull streamlocalbindmask streamlocalbindunlink stricthostkeychecking syslogfacility tcpkeepalive tunnel tunneldevice
	updatehostkeys verifyhostkeydns visualhostkey xauthlocation`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}
