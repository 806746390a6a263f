//! Whether a user agent is a phone's.

use memchr::memmem;

/// As `is_mobile` of django-user-agents answers for nearly everything that is in use: phones are, tablets, computers and
/// absent user agents are not.
///
/// The rule: it names a phone ([`PHONES`]) and no tablet ([`TABLETS`]). `Mobi` is what every browser on a phone says, and
/// those of Android leave out on tablets; iPads of old, Kindles and a few others say it all the same.
pub(super) fn is_mobile(user_agent: &[u8]) -> bool {
    let names = |words: &[&str]| words.iter().any(|word| memmem::find(user_agent, word.as_bytes()).is_some());
    names(&PHONES) && !names(&TABLETS)
}

const PHONES: [&str; 7] = ["Mobi", "iPhone", "iPod", "Opera Mini", "Windows Phone", "BlackBerry", "Symbian"];
const TABLETS: [&str; 5] = ["iPad", "Tablet", "tablet", "Kindle", "PlayBook"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_are_and_tablets_and_computers_are_not() {
        let phones = [
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Mobile Safari/537.36",
            "Mozilla/5.0 (Android 14; Mobile; rv:126.0) Gecko/126.0 Firefox/126.0",
            "Opera/9.80 (J2ME/MIDP; Opera Mini/7.1.32052/29.3709; U; en) Presto/2.8.119 Version/11.10",
            "BlackBerry9700/5.0.0.862 Profile/MIDP-2.1 Configuration/CLDC-1.1 VendorID/331",
        ];
        let others = [
            "",
            "curl/8.7.1",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
            "Mozilla/5.0 (iPad; CPU OS 12_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Linux; Android 13; SM-X700) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/125.0.0.0 Safari/537.36",
            "Mozilla/5.0 (Android 13; Tablet; rv:126.0) Gecko/126.0 Firefox/126.0",
            "Mozilla/5.0 (Linux; U; Android 4.0.3; en-us; KFTT Build/IML74K Kindle) Silk/3.68 Mobile Safari/535.19",
        ];
        phones.iter().for_each(|agent| assert!(is_mobile(agent.as_bytes()), "{agent}"));
        others.iter().for_each(|agent| assert!(!is_mobile(agent.as_bytes()), "{agent}"));
    }
}
