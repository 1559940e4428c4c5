// The strided transposed convolution of an up-sampling layer with cooperative matrices: all four parities of a tile, so that the
// map is read once. How tiles and weights are stored: `shared/matrix.wgsl`. Twin of src/engine/cpu/synthesis.rs.
//
// Even outputs have two taps per axis (kernel index 2 one sample back, and 0), odd ones have one (kernel index 1). The taps are
// ordered by the sample that they multiply: one back on both axes, back along y, back along x, neither.
//! enable wgpu_cooperative_matrix
//! import epilogue
//! import layer
//! import matrix

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let split = group.z;
    let first_chunk = CHUNKS * split / SPLITS;
    let end_chunk = CHUNKS * (split + 1u) / SPLITS;
    let first = first_of(group.x);
    let first_o = group.y * OUTPUTS + subgroup / ACROSS * (ROWS * SIDE);
    let first_matrix = subgroup % ACROSS * COLUMNS;
    //! each c < COLUMNS
    let at_{c} = place_of(first_matrix + {c}u).x * SPAN + place_of(first_matrix + {c}u).y;
    //! each p < PARITIES, r < ROWS, c < COLUMNS
    var sum_{p}_{r}_{c} = Sum();

    let weights = first_o * QUARTER;
    var step = first_chunk * STEPS;
    let last_step = end_chunk * STEPS - 1u;
    //! each r < ROWS
    var a_{r} = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
    //! each l < LOADS
    var next_{l} = fetch(first, 0u, first_chunk, thread + {l}u * THREADS);
    for (var chunk = first_chunk; chunk < end_chunk; chunk++) {
        // The previous tile is done.
        workgroupBarrier();
        //! each l < LOADS
        keep(thread + {l}u * THREADS, next_{l});
        workgroupBarrier();
        let following = min(chunk + 1u, end_chunk - 1u);
        //! each l < LOADS
        next_{l} = fetch(first, 0u, following, thread + {l}u * THREADS);
        // Back on both axes.
        {
            //! each c < COLUMNS
            let b_{c} = coopLoad<Right>(&tile[(at_{c} + 0u) * STRIDE], STRIDE);
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_0 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_0_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_0_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_0;
        }
        // Back along y.
        {
            //! each c < COLUMNS
            let b_{c} = coopLoad<Right>(&tile[(at_{c} + 1u) * STRIDE], STRIDE);
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_0 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_0_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_0_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_0;
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_1 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_1_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_1_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_1;
        }
        // Back along x.
        {
            //! each c < COLUMNS
            let b_{c} = coopLoad<Right>(&tile[(at_{c} + SPAN) * STRIDE], STRIDE);
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_0 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_0_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_0_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_0;
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_2 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_2_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_2_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_2;
        }
        // Neither.
        {
            //! each c < COLUMNS
            let b_{c} = coopLoad<Right>(&tile[(at_{c} + SPAN + 1u) * STRIDE], STRIDE);
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_0 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_0_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_0_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_0;
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_1 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_1_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_1_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_1;
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_2 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_2_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_2_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_2;
            step = min(step + 1u, last_step);
            //! each r < ROWS
            let after_{r}_3 = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
            //! each r < ROWS, c < COLUMNS
            sum_3_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_3_{r}_{c});
            //! each r < ROWS
            a_{r} = after_{r}_3;
        }
    }

    let own = subgroup * (2u * SIDE * SIDE);
    //! each c < COLUMNS, r < ROWS, p < PARITIES
    {
        let slot_{p} = own + {p}u % 2u * (SIDE * SIDE);
        coopStoreT(sum_{p}_{r}_{c}, &sums[slot_{p}], SIDE);
        workgroupBarrier();
        put(slot_{p}, first_o + {r}u * SIDE, first, first_matrix + {c}u, {p}u * SPLITS + split, lane);
    }
}
