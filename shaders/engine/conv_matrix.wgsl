// The convolution of `conv` with cooperative matrices, for kernels of 3x3 and 1x1; as BATCH products with one tap each, also
// for Winograd convolutions. How tiles and weights are stored: `shared/matrix.wgsl`. Twin of src/engine/cpu/synthesis.rs.
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
    let batch = group.z / SPLITS;
    let split = group.z % SPLITS;
    let first_chunk = CHUNKS * split / SPLITS;
    let end_chunk = CHUNKS * (split + 1u) / SPLITS;
    let first = first_of(group.x);
    let origin = batch * (I * H * W);
    let first_o = group.y * OUTPUTS + subgroup / ACROSS * (ROWS * SIDE);
    let first_matrix = subgroup % ACROSS * COLUMNS;
    //! each c < COLUMNS
    let at_{c} = place_of(first_matrix + {c}u).x * SPAN + place_of(first_matrix + {c}u).y;
    //! each r < ROWS, c < COLUMNS
    var sum_{r}_{c} = Sum();

    let weights = first_o * QUARTER;
    var step = (batch * CHUNKS + first_chunk) * STEPS;
    let last_step = (batch * CHUNKS + end_chunk) * STEPS - 1u;
    //! each r < ROWS
    var a_{r} = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
    //! each l < LOADS
    var next_{l} = fetch(first, origin, first_chunk, thread + {l}u * THREADS);
    for (var chunk = first_chunk; chunk < end_chunk; chunk++) {
        // The previous tile is done.
        workgroupBarrier();
        //! each l < LOADS
        keep(thread + {l}u * THREADS, next_{l});
        workgroupBarrier();
        let following = min(chunk + 1u, end_chunk - 1u);
        //! each l < LOADS
        next_{l} = fetch(first, origin, following, thread + {l}u * THREADS);
        for (var line = 0u; line < TAPS / TAPS_X; line++) {
            //! each t < TAPS_X, k < DEEP
            {
                step = min(step + 1u, last_step);
                //! each r < ROWS
                let after_{r} = coopLoadT<Left>(&weight[step * NEXT + weights + {r}u * MATRIX], QUARTER);
                //! each c < COLUMNS
                let b_{c} = coopLoad<Right>(&tile[(at_{c} + line * SPAN + {t}u) * STRIDE + {k}u * QUARTER], STRIDE);
                //! each r < ROWS, c < COLUMNS
                sum_{r}_{c} = coopMultiplyAdd(a_{r}, b_{c}, sum_{r}_{c});
                //! each r < ROWS
                a_{r} = after_{r};
            }
        }
    }

    let own = subgroup * (2u * SIDE * SIDE);
    //! each c < COLUMNS, r < ROWS
    {
        coopStoreT(sum_{r}_{c}, &sums[own + ({c}u * ROWS + {r}u) % 2u * (SIDE * SIDE)], SIDE);
        workgroupBarrier();
        put(own + ({c}u * ROWS + {r}u) % 2u * (SIDE * SIDE), first_o + {r}u * SIDE, first, first_matrix + {c}u, group.z, lane);
    }
}
