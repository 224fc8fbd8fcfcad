//! Texts out of a corpus: bytes changed, pieces cut, doubled, moved and exchanged, words put in that readers know.

/// Words and marks that lead readers astray.
const WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b":",
    b",",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"\\u",
    b"null",
    b"true",
    b"-",
    b"-0",
    b"1e999",
    b"99999999999999999999",
    b"\0",
    b"\xFF",
    b"\xC3",
    b"\xF0\x9F\x98\x80",
    b"\xEF\xBB\xBF",
    b"\n",
    b"\r\n",
    b"\t",
    b" ",
    b"",
    b"\x1f\x8b\x08\x00",
    b"Records",
    b"eventID",
    b"eventTime",
    b"requestParameters",
    b"userIdentity",
    b"sessionContext",
    b"Message",
    b"Type",
    b"s3",
    b"detail",
    b"detail-type",
    b"%2F",
    b"%",
    b"+",
    b"..",
    b"/",
    b"${",
    b"}",
    b"${A:b}",
    b"&a",
    b"*a",
    b"<<",
    b"!!str",
    b"---",
    b"...",
    b"|",
    b">",
    b"#",
    b"? ",
    b"- ",
    b"version",
    b"state",
    b"{\"a\":{\"a\":{\"a\":",
    b"[[[[[[[[",
];

/// Makes texts; the same ones for the same seed and corpus.
pub struct Mutator {
    state: u64,
    corpus: Vec<Vec<u8>>,
    longest: usize,
}

impl Mutator {
    pub fn new(seed: u64, corpus: Vec<Vec<u8>>, longest: usize) -> Mutator {
        Mutator { state: seed | 1, corpus, longest }
    }

    /// The next text: one of the corpus with one to eight changes.
    pub fn next(&mut self) -> Vec<u8> {
        let from = self.below(self.corpus.len());
        let mut text = self.corpus[from].clone();
        for _ in 0..=self.below(8) {
            self.change(&mut text);
        }
        text.truncate(self.longest);
        text
    }

    fn change(&mut self, text: &mut Vec<u8>) {
        match self.below(10) {
            0 if !text.is_empty() => {
                let at = self.below(text.len());
                text[at] ^= 1 << self.below(8);
            }
            1 if !text.is_empty() => {
                let at = self.below(text.len());
                text[at] = self.number() as u8;
            }
            2 => {
                let (from, to) = self.range(text.len());
                text.drain(from..to);
            }
            3 => {
                let (from, to) = self.range(text.len());
                let piece = text[from..to].to_vec();
                let at = self.below(text.len() + 1);
                text.splice(at..at, piece);
            }
            4 => {
                let (from, to) = self.range(text.len());
                let piece = text[from..to].repeat(1 + self.below(64));
                if text.len() + piece.len() <= self.longest {
                    text.splice(to..to, piece);
                }
            }
            5 => {
                let other = self.below(self.corpus.len());
                let (from, to) = self.range(self.corpus[other].len());
                let piece = self.corpus[other][from..to].to_vec();
                let (from, to) = self.range(text.len());
                text.splice(from..to, piece);
            }
            6 => {
                let at = self.below(text.len() + 1);
                text.truncate(at);
            }
            7 if text.len() > 1 => {
                let (a, b) = (self.below(text.len()), self.below(text.len()));
                text.swap(a, b);
            }
            _ => {
                let word = WORDS[self.below(WORDS.len())];
                let (from, to) = self.range(text.len());
                // As often put in as put in the place of something.
                let to = if self.below(2) == 0 { from } else { to };
                text.splice(from..to, word.iter().copied());
            }
        }
    }

    /// A piece of a text, mostly a short one.
    fn range(&mut self, length: usize) -> (usize, usize) {
        let from = self.below(length + 1);
        let most = if self.below(4) == 0 { length - from } else { (length - from).min(16) };
        (from, from + self.below(most + 1))
    }

    fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    /// xorshift64*
    fn number(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_texts_and_another_gives_others() {
        let texts = |seed| {
            let mut mutator = Mutator::new(seed, vec![b"{\"a\":[1,2]}".to_vec(), b"x".to_vec()], 100);
            (0..50).map(|_| mutator.next()).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(3));
        assert!(texts(1).iter().all(|text| text.len() <= 100));
    }
}
