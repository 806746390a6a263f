//! What somebody does with what is shown: which list is looked at, which row, sorted by what, filtered, opened.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::widgets::TableState;

use super::list::{List, Opens, Sorting};
use super::lists::Pane;
use super::page::Page;

/// Letters of a filter.
const LONGEST: usize = 200;
/// Pages that lie on one another: a route, and a request of it.
const DEEPEST: usize = 8;

/// What is looked at, and how.
#[derive(Debug, Default)]
pub(super) struct Browse {
    /// The list that keys are about, by its place among [`Pane::ALL`].
    pub(super) focus: usize,
    pub(super) panes: [Chosen; Pane::ALL.len()],
    /// Rows of all lists must have this.
    pub(super) filter: String,
    /// While somebody types a filter: the one before it.
    pub(super) before: Option<String>,
    pub(super) is_paused: bool,
    pub(super) is_helped: bool,
    /// What was opened, the last one on top.
    pub(super) pages: Vec<Page>,
}

/// How a list is looked at.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// Where none is chosen, the list is as it comes.
    pub(super) sorting: Option<Sorting>,
    /// Where it stands in the list, and from where on it is shown.
    pub(super) state: TableState,
    /// The row that was chosen, wherever it stands.
    row: Option<String>,
    /// What is there to be chosen.
    shown: Vec<(String, Opens)>,
    /// Whether each column is of numbers.
    rights: Vec<bool>,
    /// Rows that there is room for.
    pub(super) room: usize,
}

/// What follows from a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Nothing but another frame.
    Draw,
    /// To leave.
    Leave,
    /// To look at the proxy at once.
    Look,
    /// To ask for what this leads to.
    Open(Opens),
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Leave,
    Back,
    Focus(usize),
    NextPane(isize),
    Move(isize),
    MovePage(isize),
    First,
    Last,
    Sort(isize),
    Reverse,
    Filter,
    Open,
    Pause,
    Look,
    Help,
}

/// The keys, as the help has them.
pub(super) const KEYS: [(&str, &str); 11] = [
    ("Tab, 1 to 4", "the next list, or this one"),
    ("↑ ↓ PgUp PgDn Home End", "another row"),
    ("Enter", "a route's newest requests; all records of a request"),
    ("Esc, Backspace", "back; without the filter"),
    ("← →", "sorted by the column before or behind; as it comes"),
    ("r", "the other way round"),
    ("/", "only rows with these words, in all lists"),
    ("Space", "look now"),
    ("p", "hold everything still, and go on"),
    ("?", "this help"),
    ("q, Ctrl-C", "leave"),
];

fn wish(key: KeyEvent) -> Option<Wish> {
    Some(match key.code {
        KeyCode::Char('q' | 'Q') => Wish::Leave,
        KeyCode::Esc | KeyCode::Backspace => Wish::Back,
        KeyCode::Char(digit @ '1'..='4') => Wish::Focus(digit as usize - '1' as usize),
        KeyCode::Tab => Wish::NextPane(1),
        KeyCode::BackTab => Wish::NextPane(-1),
        KeyCode::Up | KeyCode::Char('k') => Wish::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Wish::Move(1),
        KeyCode::PageUp => Wish::MovePage(-1),
        KeyCode::PageDown => Wish::MovePage(1),
        KeyCode::Home | KeyCode::Char('g') => Wish::First,
        KeyCode::End | KeyCode::Char('G') => Wish::Last,
        KeyCode::Left | KeyCode::Char('<') => Wish::Sort(-1),
        KeyCode::Right | KeyCode::Char('>') => Wish::Sort(1),
        KeyCode::Char('r') => Wish::Reverse,
        KeyCode::Char('/') => Wish::Filter,
        KeyCode::Enter | KeyCode::Char('o') => Wish::Open,
        KeyCode::Char('p') => Wish::Pause,
        KeyCode::Char(' ') => Wish::Look,
        KeyCode::Char('?' | 'h') => Wish::Help,
        _ => return None,
    })
}

impl Browse {
    /// Somebody has pressed a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Act {
        if key.kind == KeyEventKind::Release {
            return Act::Draw;
        }
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            let leaves = matches!(key.code, KeyCode::Char('c' | 'd' | '\\'));
            return if leaves { Act::Leave } else { Act::Draw };
        }
        if self.before.is_some() {
            self.typed(key.code);
            return Act::Draw;
        }
        if std::mem::take(&mut self.is_helped) {
            return Act::Draw;
        }
        wish(key).map_or(Act::Draw, |wish| self.follow(wish))
    }

    fn follow(&mut self, wish: Wish) -> Act {
        match wish {
            Wish::Leave => return Act::Leave,
            Wish::Look => return Act::Look,
            Wish::Open => return self.open(),
            Wish::Back => return self.back(),
            Wish::Focus(pane) => self.show(pane),
            Wish::NextPane(by) => self.show((self.focus as isize + by).rem_euclid(Pane::ALL.len() as isize) as usize),
            Wish::Filter => self.before = Some(self.filter.clone()),
            Wish::Pause => self.is_paused = !self.is_paused,
            Wish::Help => self.is_helped = true,
            Wish::Sort(by) => self.chosen().sort(by),
            Wish::Reverse => self.chosen().reverse(),
            Wish::Move(_) | Wish::MovePage(_) | Wish::First | Wish::Last => self.go(wish),
        }
        Act::Draw
    }

    /// A letter of the filter.
    fn typed(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.before = None,
            KeyCode::Esc => self.filter = self.before.take().unwrap_or_default(),
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < LONGEST => self.filter.push(letter),
            _ => {}
        }
    }

    fn show(&mut self, pane: usize) {
        self.pages.clear();
        self.focus = pane;
    }

    /// The list that keys are about.
    fn chosen(&mut self) -> &mut Chosen {
        match self.pages.last_mut() {
            Some(page) => &mut page.chosen,
            None => &mut self.panes[self.focus],
        }
    }

    fn go(&mut self, wish: Wish) {
        match self.pages.last_mut() {
            Some(page) if page.is_text() => page.scroll(|at, room, last| moved(wish, at, room, last)),
            _ => {
                let chosen = self.chosen();
                let (at, last) = (chosen.state.selected().unwrap_or(0), chosen.shown.len().saturating_sub(1));
                chosen.select(moved(wish, at, chosen.room, last));
            }
        }
    }

    fn open(&mut self) -> Act {
        let chosen = self.chosen();
        let at = chosen.state.selected().and_then(|at| chosen.shown.get(at));
        match at.map(|(_, opens)| opens.clone()) {
            None | Some(Opens::Nothing) => Act::Draw,
            Some(_) if self.pages.len() >= DEEPEST => Act::Draw,
            Some(opens) => {
                self.pages.push(Page::waiting(opens.clone()));
                Act::Open(opens)
            }
        }
    }

    fn back(&mut self) -> Act {
        if self.pages.pop().is_none() {
            self.filter.clear();
        }
        Act::Draw
    }

    /// What was asked for has come: it goes where it was asked for, unless that was left.
    pub(super) fn opened(&mut self, opens: &Opens, page: impl FnOnce() -> Page) {
        if let Some(waiting) = self.pages.iter_mut().rfind(|page| page.opens == *opens) {
            *waiting = page();
        }
    }
}

/// From where to where a wish leads.
fn moved(wish: Wish, at: usize, room: usize, last: usize) -> usize {
    match wish {
        Wish::Move(by) => at.saturating_add_signed(by),
        Wish::MovePage(by) => at.saturating_add_signed(by * room.max(1) as isize),
        Wish::First => 0,
        _ => last,
    }
    .min(last)
}

impl Chosen {
    /// Leaves, sorts and remembers the rows of a list; the one that was chosen is so wherever it stands now.
    pub(super) fn take(&mut self, list: &mut List, filter: &str) {
        list.keep(filter);
        self.rights = (0..list.columns()).map(|column| list.is_right(column)).collect();
        if let Some(sorting) = self.sorting {
            list.sort(sorting);
        }
        self.shown = list.rows.iter().map(|row| (row.id.clone(), row.opens.clone())).collect();
        let same = self.row.as_ref().and_then(|id| self.shown.iter().position(|(known, _)| known == id));
        let at = same.or(self.state.selected()).unwrap_or(0);
        self.state.select(self.shown.len().checked_sub(1).map(|last| at.min(last)));
    }

    fn select(&mut self, at: usize) {
        self.row = self.shown.get(at).map(|(id, _)| id.clone());
        self.state.select(self.row.is_some().then_some(at));
    }

    /// Numbers begin with the greatest, texts with the first. Beyond the columns, it is as it comes.
    fn sort(&mut self, by: isize) {
        let places = self.rights.len() as isize + 1;
        let place = self.sorting.map_or(0, |sorting| sorting.column as isize + 1);
        let column = ((place + by).rem_euclid(places) as usize).checked_sub(1);
        self.sorting = column.map(|column| Sorting { column, is_descending: self.rights[column] });
    }

    fn reverse(&mut self) {
        if let Some(sorting) = &mut self.sorting {
            sorting.is_descending = !sorting.is_descending;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cli::top::example::view;
    use crate::search::zone::Zone;

    fn browse() -> Browse {
        let mut browse = Browse::default();
        refresh(&mut browse);
        browse
    }

    /// As drawing does.
    fn refresh(browse: &mut Browse) {
        let filter = browse.filter.clone();
        for (pane, chosen) in Pane::ALL.into_iter().zip(&mut browse.panes) {
            chosen.room = 5;
            chosen.take(&mut pane.list(&view(), &Zone::utc()), &filter);
        }
    }

    fn press(browse: &mut Browse, codes: &[KeyCode]) -> Act {
        let mut act = Act::Draw;
        for code in codes {
            act = browse.key(KeyEvent::new(*code, KeyModifiers::NONE));
            refresh(browse);
        }
        act
    }

    #[test]
    fn a_row_is_chosen_and_opened_and_left() {
        let mut browse = browse();
        let act = press(&mut browse, &[KeyCode::Char('2'), KeyCode::Down, KeyCode::Enter]);
        assert_eq!(act, Act::Open(Opens::Request("r-2".to_owned())));
        assert_eq!((browse.focus, browse.pages.len()), (1, 1));
        press(&mut browse, &[KeyCode::Esc]);
        assert!(browse.pages.is_empty());
        assert_eq!(
            press(&mut browse, &[KeyCode::Char('1'), KeyCode::Enter]),
            Act::Open(Opens::Route("post-detail".to_owned()))
        );
        // What came too late for a page that was left.
        press(&mut browse, &[KeyCode::Esc]);
        browse.opened(&Opens::Route("post-detail".to_owned()), || panic!("nobody waits for it"));
        // A record of no request.
        assert_eq!(press(&mut browse, &[KeyCode::Char('4'), KeyCode::End, KeyCode::Enter]), Act::Draw);
    }

    #[test]
    fn the_row_that_was_chosen_stays_so_when_the_order_changes() {
        let mut browse = browse();
        press(&mut browse, &[KeyCode::Char('2'), KeyCode::Down]);
        assert_eq!(browse.panes[1].state.selected(), Some(1));
        // By age, the greatest first, and the other way round.
        press(&mut browse, &[KeyCode::Right, KeyCode::Char('r')]);
        assert_eq!(browse.panes[1].sorting, Some(Sorting { column: 0, is_descending: false }));
        assert_eq!(browse.panes[1].state.selected(), Some(0));
        press(&mut browse, &[KeyCode::Left]);
        assert_eq!((browse.panes[1].sorting, browse.panes[1].state.selected()), (None, Some(1)));
    }

    #[test]
    fn a_filter_is_typed_kept_taken_back_and_dropped() {
        let mut browse = browse();
        let word = |word: &str| word.chars().map(KeyCode::Char).collect::<Vec<_>>();
        press(&mut browse, &[KeyCode::Char('/')]);
        press(&mut browse, &word("UNMx"));
        press(&mut browse, &[KeyCode::Backspace, KeyCode::Enter]);
        assert_eq!((browse.filter.as_str(), &browse.panes[0].shown[0].0[..]), ("UNM", "unmatched"));
        press(&mut browse, &[KeyCode::Char('/'), KeyCode::Char('q'), KeyCode::Esc]);
        assert_eq!((browse.filter.as_str(), browse.before.as_deref()), ("UNM", None));
        press(&mut browse, &[KeyCode::Esc]);
        assert_eq!((browse.filter.as_str(), browse.panes[0].shown.len()), ("", 2));
    }

    #[test]
    fn keys_that_leave() {
        assert_eq!(press(&mut browse(), &[KeyCode::Char('q')]), Act::Leave);
        let mut typing = browse();
        press(&mut typing, &[KeyCode::Char('/'), KeyCode::Char('q')]);
        assert_eq!(typing.key(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)), Act::Leave);
        let mut helped = browse();
        assert_eq!(press(&mut helped, &[KeyCode::Char('?'), KeyCode::Char('q')]), Act::Draw);
        assert_eq!(press(&mut helped, &[KeyCode::Char(' ')]), Act::Look);
    }

    proptest! {
        /// Whatever is pressed, a row that is there is chosen.
        #[test]
        fn no_key_leads_astray(keys in proptest::collection::vec((0u8..24, any::<char>()), 0..60)) {
            let mut browse = browse();
            for (kind, letter) in keys {
                let named = [KeyCode::Up, KeyCode::Down, KeyCode::Left, KeyCode::Right, KeyCode::PageUp, KeyCode::PageDown,
                    KeyCode::Home, KeyCode::End, KeyCode::Tab, KeyCode::BackTab, KeyCode::Enter, KeyCode::Esc,
                    KeyCode::Backspace, KeyCode::Char('r'), KeyCode::Char('/'), KeyCode::Char('3')];
                press(&mut browse, &[named.get(usize::from(kind)).copied().unwrap_or(KeyCode::Char(letter))]);
                prop_assert!(browse.pages.len() <= DEEPEST && browse.filter.chars().count() <= LONGEST);
                for chosen in &browse.panes {
                    prop_assert_eq!(chosen.state.selected().is_some(), !chosen.shown.is_empty());
                    prop_assert!(chosen.state.selected().is_none_or(|at| at < chosen.shown.len()));
                }
            }
        }
    }
}
