//! Which plan buffers share memory: a map's memory is reused after its last reader.

use crate::engine::plan::{BufferId, Op, Plan};

/// For each plan buffer the index of its memory, and the bytes of each memory.
pub struct Assignment {
    pub memory: Vec<usize>,
    pub bytes: Vec<u64>,
}

/// Whether a buffer is a picture, which is stored in 32 bits whatever the precision.
pub fn is_picture(plan: &Plan, id: BufferId) -> bool {
    plan.output == Some(id) || plan.steps.iter().any(|s| s.op.out() == id && matches!(s.op, Op::ToRgb(_)))
}

/// Assigns memory to every buffer, with `num` bytes per number of a feature map. With `apart`, nothing is shared.
pub fn assign(plan: &Plan, num: u64, apart: bool) -> Assignment {
    let mut found = Assignment { memory: vec![usize::MAX; plan.buffers.len()], bytes: Vec::new() };
    let mut free: Vec<usize> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let id = step.op.out();
        let bytes = plan.get(id).len() as u64 * if is_picture(plan, id) { 4 } else { num };
        // The smallest that is large enough, otherwise the largest, which grows.
        let fits = |m: &usize| (found.bytes[*m] < bytes, found.bytes[*m].abs_diff(bytes));
        let reused = free.iter().copied().min_by_key(|m| fits(m)).filter(|_| !matches!(step.op, Op::Constant(_)));
        let memory = reused.unwrap_or(found.bytes.len());
        match reused {
            Some(memory) => free.retain(|m| *m != memory),
            None => found.bytes.push(0),
        }
        found.bytes[memory] = found.bytes[memory].max(bytes);
        found.memory[id.0] = memory;
        let is_done = |id: BufferId| {
            !apart && plan.output != Some(id) && !plan.steps[at + 1..].iter().any(|s| s.op.inputs().any(|i| i == id))
        };
        // A constant is written once, at load.
        let is_constant = |id: BufferId| plan.steps.iter().any(|s| s.op.out() == id && matches!(s.op, Op::Constant(_)));
        for id in step.op.inputs().filter(|&id| is_done(id) && !is_constant(id)) {
            let memory = found.memory[id.0];
            if !free.contains(&memory) {
                free.push(memory);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_that_are_live_at_the_same_time_have_separate_memory() {
        let plan = crate::network::stylegan2::random(64, 512, 16, 32, 0).plan;
        let shared = assign(&plan, 4, false);
        for (at, step) in plan.steps.iter().enumerate() {
            let out = step.op.out();
            for other in 0..at {
                let id = plan.steps[other].op.out();
                let is_read = plan.steps[at..].iter().any(|s| s.op.inputs().any(|i| i == id));
                if is_read {
                    assert_ne!(shared.memory[out.0], shared.memory[id.0], "{} over {}", step.name, plan.get(id).name);
                }
            }
        }
        let apart = assign(&plan, 4, true);
        assert_eq!(apart.bytes.len(), plan.buffers.len());
        assert!(shared.bytes.iter().sum::<u64>() < apart.bytes.iter().sum::<u64>());
    }
}
