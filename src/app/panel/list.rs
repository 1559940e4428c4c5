//! The list of all parameters: groups by the first part of the address, and what a search finds.
//!
//! Pure: made again when the table, the search or what is folded changes, and not in every frame.

use std::collections::HashSet;

use crate::params::{Def, Id, Table, Target};

/// Groups that come first, in this order; then the others by name, then the long families.
const FIRST: [&str; 10] = ["macro", "show", "psi", "seed", "walk", "style", "feedback", "preset", "noise", "transform"];
/// The group of parameters that are alone under their first part.
const SHOW: &str = "show";
/// Long families of numbers.
const LAST: [&str; 2] = ["z", "w"];
/// What only the show writes, or the editor.
pub(super) const SHOWN_ONLY: [Id; 2] = [Id::EvalResult, Id::RecordStatus];

/// Parameters with a common beginning.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Group {
    pub name: String,
    pub ids: Vec<Id>,
}

/// One entry of the list, from the top.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// The head of a group, by its place in the groups.
    Group(usize),
    /// A line between what was found.
    Heading(&'static str),
    Row(Target),
    /// The head of a family of numbered parameters, which unfolds into them.
    Family(Id),
}

/// What is searched, and what is folded away.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct View {
    pub search: String,
    /// Groups by name.
    pub folded: HashSet<String>,
    /// Families whose members are listed.
    pub unfolded: HashSet<Id>,
}

/// The name of the group that an address belongs to: its first part, and the second where effects and modulators have their
/// names.
fn group_name(address: &str) -> String {
    let mut parts = address.split('/').skip(1);
    let first = parts.next().unwrap_or_default();
    match (first, parts.next(), parts.next()) {
        ("fx" | "mod", Some(name), Some(_)) => format!("{first} {name}"),
        _ => first.to_owned(),
    }
}

/// The groups of a table, in order.
pub(super) fn groups(table: &Table) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for id in table.ids() {
        let name = group_name(id.def().address);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.ids.push(id),
            None => groups.push(Group { name, ids: vec![id] }),
        }
    }
    let is_alone = |group: &Group| group.ids.len() == 1 && !group.ids[0].def().is_family();
    let (alone, mut groups): (Vec<Group>, Vec<Group>) = groups.into_iter().partition(is_alone);
    let ids: Vec<Id> = alone.into_iter().flat_map(|group| group.ids).collect();
    if !ids.is_empty() {
        groups.push(Group { name: SHOW.to_owned(), ids });
    }
    let rank = |group: &Group| {
        let place = |names: &[&str]| names.iter().position(|name| *name == group.name);
        match (place(&FIRST), place(&LAST)) {
            (Some(place), _) => (0, place),
            (_, Some(place)) => (2, place),
            _ => (1, 0),
        }
    };
    groups.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.name.cmp(&b.name)));
    groups
}

/// The label of a parameter under the name of its group.
pub(super) fn label(def: &'static Def, group: &str) -> &'static str {
    let short = def.address.strip_prefix('/').unwrap_or(def.address);
    let rest = match group.split_once(' ') {
        Some((first, second)) => {
            short.strip_prefix(first).and_then(|s| s.strip_prefix('/')).and_then(|s| s.strip_prefix(second))
        }
        None => short.strip_prefix(group),
    };
    rest.and_then(|rest| rest.strip_prefix('/')).filter(|rest| !rest.starts_with('<')).unwrap_or(short)
}

/// The words that are searched.
fn words(search: &str) -> Vec<String> {
    let split = search.split(|c: char| c.is_whitespace() || c == '/');
    split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// The list: everything under its group, or what `view.search` finds. `members` says how many of a family there are now.
pub(super) fn items(groups: &[Group], view: &View, members: impl Fn(Id) -> usize) -> Vec<Item> {
    let words = words(&view.search);
    if words.is_empty() {
        return all(groups, view, members);
    }
    let mut found = Vec::new();
    let mut by_help = Vec::new();
    for id in groups.iter().flat_map(|group| &group.ids) {
        let def = id.def();
        let (address, help) = (def.address.to_lowercase(), def.help.to_lowercase());
        if def.is_family()
            && let Some(index) = member(&address, &words, members(*id))
        {
            found.insert(0, Item::Row(Target { id: *id, index }));
        } else if words.iter().all(|word| address.contains(word.as_str())) {
            list(*id, view, &members, &mut found);
        } else if words.iter().all(|word| address.contains(word.as_str()) || help.contains(word.as_str())) {
            list(*id, view, &members, &mut by_help);
        }
    }
    if !by_help.is_empty() && !found.is_empty() {
        found.push(Item::Heading("by what they do"));
    }
    found.append(&mut by_help);
    found
}

fn all(groups: &[Group], view: &View, members: impl Fn(Id) -> usize) -> Vec<Item> {
    let mut items = Vec::new();
    for (i, group) in groups.iter().enumerate() {
        items.push(Item::Group(i));
        if !view.folded.contains(&group.name) {
            group.ids.iter().for_each(|id| list(*id, view, &members, &mut items));
        }
    }
    items
}

/// A parameter, or a family with its members if it is unfolded.
fn list(id: Id, view: &View, members: impl Fn(Id) -> usize, items: &mut Vec<Item>) {
    if !id.def().is_family() {
        return items.push(Item::Row(id.into()));
    }
    items.push(Item::Family(id));
    if view.unfolded.contains(&id) {
        items.extend((0..members(id) as u16).map(|index| Item::Row(Target { id, index })));
    }
}

/// The member of a family that is named with its number: `z 3`, `/style/mix/3`.
fn member(address: &str, words: &[String], members: usize) -> Option<u16> {
    let (last, rest) = words.split_last()?;
    let index: usize = last.parse().ok().filter(|index| *index < members)?;
    let parts: Vec<&str> = address.split('/').collect();
    let is_named = !rest.is_empty() && rest.iter().all(|word| parts.contains(&word.as_str()));
    is_named.then_some(index as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(search: &str) -> Vec<String> {
        let view = View { search: search.to_owned(), ..View::default() };
        let name = |item: &Item| match item {
            Item::Row(target) => target.to_string(),
            Item::Family(id) => id.def().address.to_owned(),
            Item::Heading(text) => (*text).to_owned(),
            Item::Group(i) => format!("group {i}"),
        };
        items(&groups(Table::built_in()), &view, |_| 512).iter().map(name).collect()
    }

    #[test]
    fn every_parameter_is_in_one_group_and_what_is_played_comes_first() {
        let table = Table::built_in().with(&[Def::float("/fx/list/gain", 0.0, 1.0, 0.5)]).unwrap();
        let groups = groups(&table);
        assert_eq!(groups.iter().map(|group| group.ids.len()).sum::<usize>(), table.len());
        let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
        let place = |name: &str| names.iter().position(|n| *n == name).unwrap_or_else(|| panic!("{name}: {names:?}"));
        assert!(place("show") < place("psi") && place("psi") < place("walk") && place("walk") < place("fit"));
        assert!(place("z") > place("transform") && place("w") == names.len() - 1, "{names:?}");
        assert!(names.contains(&"fx"), "the chain's commands: {names:?}");
        assert!(!names.contains(&"tap"), "it is alone, and so in show");
    }

    #[test]
    fn labels_leave_out_their_group() {
        assert_eq!(label(Id::WalkSpeed.def(), "walk"), "speed");
        assert_eq!(label(Id::Psi.def(), "psi"), "psi");
        assert_eq!(label(Id::PsiCutoff.def(), "psi"), "cutoff");
        assert_eq!(label(Id::Tap.def(), SHOW), "tap");
        assert_eq!(label(Id::Z.def(), "z"), "z/<n>");
        let table = Table::built_in().with(&[Def::float("/fx/bloom/mix", 0.0, 1.0, 1.0)]).unwrap();
        assert_eq!(label(table.row("/fx/bloom/mix").unwrap().def(), "fx bloom"), "mix");
    }

    #[test]
    fn a_search_finds_addresses_before_what_they_do() {
        let zoom = found("zoom");
        let heading = zoom.iter().position(|name| name == "by what they do").unwrap_or(zoom.len());
        assert!(zoom[..heading].contains(&"/feedback/zoom".to_owned()), "{zoom:?}");
        assert!(zoom[..heading].iter().all(|name| name.contains("zoom")), "{zoom:?}");
        assert_eq!(found("feed rot")[0], "/feedback/rotate");
        assert_eq!(found("/WALK/Speed")[0], "/walk/speed");
        assert!(found("truncation").contains(&"/psi".to_owned()), "by its help");
        assert!(found("no such thing").is_empty());
    }

    #[test]
    fn members_of_a_family_are_found_by_their_numbers() {
        assert_eq!(found("/z/17")[0], "/z/17");
        assert_eq!(found("style mix 3")[0], "/style/mix/3");
        assert!(!found("z 600").contains(&"/z/600".to_owned()), "there are 512");
        assert!(found("mix").contains(&"/style/mix/<n>".to_owned()));
    }

    #[test]
    fn what_is_folded_is_left_out_and_families_unfold() {
        let groups = groups(Table::built_in());
        let mut view = View::default();
        let rows = |view: &View| items(&groups, view, |_| 512).len();
        let usual = rows(&view);
        let names: usize = groups.iter().map(|group| 1 + group.ids.len()).sum();
        assert_eq!(usual, names, "a family is one row at first");
        view.unfolded.insert(Id::Z);
        assert_eq!(rows(&view), usual + 512);
        view.folded.insert("walk".to_owned());
        let walk = groups.iter().find(|group| group.name == "walk").unwrap().ids.len();
        assert_eq!(rows(&view), usual + 512 - walk);
    }
}
