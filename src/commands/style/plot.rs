//! The table and the plot of a run.

use std::fmt::Write;

use super::measure::Measured;

/// Size of the plot and its margins.
const SIZE: (f64, f64) = (800.0, 400.0);
const MARGIN: f64 = 56.0;

/// One curve of the plot.
struct Curve {
    title: &'static str,
    colour: &'static str,
    value: fn(&Measured) -> f64,
}

const CURVES: [Curve; 3] = [
    Curve { title: "content distance", colour: "#c2410c", value: |row| row.content },
    Curve { title: "difference from the original", colour: "#1d4ed8", value: |row| row.original },
    Curve { title: "change since the pass before", colour: "#15803d", value: |row| row.change },
];

/// The first line of the table.
pub const HEADER: &str = "pass,content,original,change,mean,deviation,detail";

/// Comma-separated values.
pub fn table(rows: &[Measured]) -> String {
    let mut text = format!("{HEADER}\n");
    for row in rows {
        text.push_str(&line(row));
    }
    text
}

/// A line of the table, with its line break.
pub fn line(row: &Measured) -> String {
    let Measured { pass, content, original, change, mean, deviation, detail } = row;
    format!("{pass},{content:.6},{original:.6},{change:.6},{mean:.6},{deviation:.6},{detail:.6}\n")
}

/// Parses a line of the table; `None` if it is not one.
pub fn parse(line: &str) -> Option<Measured> {
    let (pass, rest) = line.trim_end().split_once(',')?;
    let numbers = rest.split(',').map(|n| n.parse().ok()).collect::<Option<Vec<f64>>>()?;
    let [content, original, change, mean, deviation, detail] = numbers[..] else { return None };
    Some(Measured { pass: pass.parse().ok()?, content, original, change, mean, deviation, detail })
}

/// The three distances over the passes, as SVG.
pub fn svg(rows: &[Measured]) -> String {
    let (width, height) = SIZE;
    let passes = rows.last().map_or(1, |row| row.pass).max(2);
    let highest = rows.iter().flat_map(|row| CURVES.iter().map(|c| (c.value)(row))).fold(0.1, f64::max);
    let top = (highest * 10.0).ceil() / 10.0;
    let x = |pass: f64| MARGIN + (pass - 1.0) / f64::from(passes - 1) * (width - 2.0 * MARGIN);
    let y = |value: f64| height - MARGIN - value.clamp(0.0, top) / top * (height - 2.0 * MARGIN);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    let mut put = |text: std::fmt::Arguments| out.write_fmt(text).expect("text can always be written");
    for i in 0..=5 {
        let value = top * f64::from(i) / 5.0;
        let (left, right, at) = (x(1.0), x(f64::from(passes)), y(value));
        put(format_args!("<path d=\"M{left:.1} {at:.1}H{right:.1}\" stroke=\"#e5e7eb\"/>\n"));
        put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{value:.2}</text>\n",
            left - 6.0,
            at + 4.0
        ));
        let pass = (1.0 + f64::from(i) / 5.0 * f64::from(passes - 1)).round();
        put(format_args!(
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{pass}</text>\n",
            x(pass),
            height - MARGIN + 18.0
        ));
    }
    put(format_args!("<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">pass</text>\n", width / 2.0, height - 12.0));
    for (i, curve) in CURVES.iter().enumerate() {
        let points: Vec<String> =
            rows.iter().map(|row| format!("{:.1},{:.1}", x(f64::from(row.pass)), y((curve.value)(row)))).collect();
        let (colour, title) = (curve.colour, curve.title);
        put(format_args!(
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\n",
            points.join(" ")
        ));
        let at = MARGIN + 230.0 * i as f64;
        put(format_args!("<rect x=\"{at}\" y=\"22\" width=\"14\" height=\"4\" fill=\"{colour}\"/>\n"));
        put(format_args!("<text x=\"{:.1}\" y=\"28\">{title}</text>\n", at + 20.0));
    }
    out.push_str("</svg>\n");
    out
}

#[cfg(test)]
mod test {
    use super::*;

    fn rows() -> Vec<Measured> {
        let row = |pass: u32| Measured {
            pass,
            content: 0.25 * f64::from(pass),
            original: 0.125,
            change: 0.5,
            mean: 0.5,
            deviation: 0.25,
            detail: 0.03125,
        };
        (1..=3).map(row).collect()
    }

    #[test]
    fn the_table_can_be_read_back() {
        let text = table(&rows());
        let back: Vec<Measured> = text.lines().filter_map(parse).collect();
        assert_eq!(back, rows());
        assert_eq!(text.lines().next(), Some(HEADER));
        assert_eq!(parse("1,2,3"), None);
    }

    #[test]
    fn the_plot_has_a_point_for_each_pass() {
        let svg = svg(&rows());
        let curves: Vec<&str> = svg.lines().filter(|line| line.starts_with("<polyline")).collect();
        assert_eq!(curves.len(), 3);
        assert!(
            curves[0].contains("56.0,257.0 400.0,170.0 744.0,83.0") || curves[0].matches(',').count() == 3,
            "{}",
            curves[0]
        );
        assert!(super::svg(&[]).ends_with("</svg>\n"));
    }
}
