package connect

import (
	"regexp"
	"strings"
	"sync"
)

// Every keyword of ssh_config(5) is honoured here, harmless, or left to ssh, together with any value that is not
// certain. A host whose settings are left to ssh is reached by the ssh program (transport.go): so a keyword that
// restricts what ssh accepts, or one of a later OpenSSH, holds for rpctl too. TestSameOutcomeAsSSH compares the two.

// keywordForms are the keywords that this package honours, each with the values that it reads as ssh does.
var keywordForms = sync.OnceValue(func() map[string]*regexp.Regexp {
	const file = `(~/|/)([A-Za-z0-9_./@:+,-]|%[hrpn])*`
	one, several := regexp.MustCompile(`^(none|`+file+`)$`), regexp.MustCompile(`^(none|`+file+`( +`+file+`)*)$`)
	yes, no := regexp.MustCompile(`^yes$`), regexp.MustCompile(`^no$`)
	return map[string]*regexp.Regexp{
		"host":                 regexp.MustCompile(`^!?[A-Za-z0-9_.:*?-]+( +!?[A-Za-z0-9_.:*?-]+)*$`),
		"include":              regexp.MustCompile(`^(~/|/)?[A-Za-z0-9_.*/-]+( +(~/|/)?[A-Za-z0-9_.*/-]+)*$`),
		"hostname":             regexp.MustCompile(`^(%h|[a-z0-9_.:-])+$`),
		"port":                 regexp.MustCompile(`^[1-9][0-9]{0,4}$`),
		"user":                 regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$`),
		"identityfile":         one,
		"identitiesonly":       regexp.MustCompile(`^(yes|no)$`),
		"identityagent":        regexp.MustCompile(`^(none|SSH_AUTH_SOCK|(~/|/)[A-Za-z0-9_./@:+,-]*)$`),
		"proxyjump":            regexp.MustCompile(`^[A-Za-z0-9_.@:,-]+$`),
		"userknownhostsfile":   several,
		"globalknownhostsfile": several,
		"hostkeyalias":         regexp.MustCompile(`^([A-Za-z0-9_.-]+|\[[A-Za-z0-9_.:-]+\]:[0-9]{1,5})$`),
		"controlpath":          regexp.MustCompile(`^(none|(~/|/)([A-Za-z0-9_./@:+,-]|%[hrpnC])*)$`),
		"connecttimeout":       regexp.MustCompile(`^[1-9][0-9]{0,4}$`),

		// The values of these that change nothing.
		"addressfamily": regexp.MustCompile(`^any$`), "canonicalizehostname": no, "checkhostip": no, "connectionattempts": regexp.MustCompile(`^1$`),
		"enablesshkeysign": no, "hostbasedauthentication": no, "pubkeyauthentication": yes, "verifyhostkeydns": no,
		"nohostauthenticationforlocalhost": no, "proxyusefdpass": no, "stricthostkeychecking": regexp.MustCompile(`^(yes|ask|no|off|accept-new)$`),
	}
})

// harmlessKeywords change nothing for rpctl, whatever their value is: they are about forwarding, terminals, logging,
// keepalive and ways to log in other than a key. StrictHostKeyChecking is not among them, but no value of it
// loosens anything here: an unknown host key is always refused.
var harmlessKeywords = sync.OnceValue(func() map[string]bool {
	return wordSet(`
	addkeystoagent batchmode channeltimeout clearallforwardings compression controlmaster controlpersist dynamicforward
	enableescapecommandline escapechar exitonforwardfailure fingerprinthash forkafterauthentication
	forwardagent forwardx11 forwardx11timeout forwardx11trusted gatewayports gssapiauthentication gssapidelegatecredentials
	hashknownhosts ipqos kbdinteractiveauthentication kbdinteractivedevices localcommand localforward loglevel logverbose
	numberofpasswordprompts obscurekeystroketiming passwordauthentication permitlocalcommand permitremoteopen
	rekeylimit remotecommand remoteforward requesttty sendenv serveralivecountmax serveraliveinterval sessiontype setenv
	stdinnull streamlocalbindmask streamlocalbindunlink syslogfacility tcpkeepalive tunnel tunneldevice
	updatehostkeys versionaddendum visualhostkey warnweakcrypto xauthlocation`)
})

// sshKeywords are left to ssh. A Host block that has one and does not match the host changes nothing. A keyword that is
// in none of the three tables leaves every host to ssh, which refuses the whole file unless it knows it.
var sshKeywords = sync.OnceValue(func() map[string]bool {
	return wordSet(`
	bindaddress bindinterface canonicaldomains canonicalizefallbacklocal canonicalizemaxdots canonicalizepermittedcnames
	casignaturealgorithms certificatefile ciphers hostbasedacceptedalgorithms hostkeyalgorithms kexalgorithms
	knownhostscommand macs pkcs11provider preferredauthentications proxycommand pubkeyacceptedalgorithms
	refuseconnection requiredrsasize revokedhostkeys securitykeyprovider tag`)
})

// plainValue reports whether this package reads a keyword with this value as ssh does.
func plainValue(keyword, value string) bool {
	if harmlessKeywords()[keyword] {
		return !strings.ContainsAny(value, "\"'\\#")
	}
	form := keywordForms()[keyword]
	return form != nil && form.MatchString(value)
}

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		set[word] = true
	}
	return set
}
