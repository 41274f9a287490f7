//! Random expressions for the tests; the same seed gives the same expressions. Some are dense and some sparse, and many are about
//! the hours at which clocks are changed.

/// A small generator of random numbers (`SplitMix64`).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `low` to `high`.
    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        let count = u64::try_from(high - low + 1).expect("low is at most high");
        low + i64::try_from(self.next() % count).expect("below a count that was an i64")
    }

    pub(crate) fn one_in(&mut self, count: i64) -> bool {
        self.between(1, count) == 1
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let last = i64::try_from(from.len()).expect("a short slice") - 1;
        &from[usize::try_from(self.between(0, last)).expect("not negative")]
    }
}

const MONTHS: [&str; 12] = ["JAN", "feb", "Mar", "apr", "MAY", "jun", "jul", "AUG", "sep", "Oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["SUN", "mon", "Tue", "wed", "thu", "FRI", "sat"];

/// An expression that `CronJob`s accept.
pub(crate) fn expression(random: &mut Random) -> String {
    if random.one_in(60) {
        let macros = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        return (*random.pick(&macros)).to_owned();
    }
    let minute = field(random, 0, 59, 5, &[]);
    let hour = if random.one_in(3) {
        (*random.pick(&["0", "1", "2", "3", "23", "0-3", "1,2", "22-23", "0,23"])).to_owned()
    } else {
        field(random, 0, 23, 3, &[])
    };
    let day = field(random, 1, 31, 2, &[]);
    let month = field(random, 1, 12, 2, &MONTHS);
    let weekday = field(random, 0, 6, 2, &WEEKDAYS);
    let gap = *random.pick(&[" ", " ", " ", "  ", "\t"]);
    [minute, hour, day, month, weekday].join(gap)
}

/// A field that is a star in one of `star` cases.
fn field(random: &mut Random, min: i64, max: i64, star: i64, names: &[&str]) -> String {
    if random.one_in(star) {
        return (*random.pick(&["*", "*", "*", "?", "*/1", "*-3"])).to_owned();
    }
    let items = if random.one_in(4) { random.between(2, 4) } else { 1 };
    let items: Vec<String> = (0..items).map(|_| item(random, min, max, names)).collect();
    items.join(if random.one_in(50) { ",," } else { "," })
}

fn item(random: &mut Random, min: i64, max: i64, names: &[&str]) -> String {
    let low = random.between(min, max);
    let high = random.between(low, max);
    let step = if random.one_in(20) { random.between(1, 200) } else { random.between(1, max.min(30)) };
    let mut number = |number: i64| match usize::try_from(number - min).ok().and_then(|index| names.get(index)) {
        Some(name) if random.one_in(3) => (*name).to_owned(),
        _ if random.one_in(20) => format!("{number:02}"),
        _ if random.one_in(60) => format!("+{number}"),
        _ => number.to_string(),
    };
    let (low, high) = (number(low), number(high));
    match random.between(1, 8) {
        1..=3 => low,
        4 => format!("{low}-{high}"),
        5 => format!("{low}-{high}/{step}"),
        6 => format!("{low}/{step}"),
        7 => format!("*/{step}"),
        _ if random.one_in(30) => ",".to_owned(),
        _ => format!("?/{step}"),
    }
}
