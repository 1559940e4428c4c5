// Measures a device: as many products of cooperative matrices as it can do, in 16 bits added in 32. Only the final numbers
// are written.
//! enable wgpu_cooperative_matrix

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

const ROUNDS: u32 = 128u;
// Rows and columns of a matrix, threads of a subgroup.
const SIDE: u32 = 16u;
const LANES: u32 = 32u;
// Subgroups per workgroup, and independent sums of each. Loops over c are expanded by the program.
const SUBGROUPS: u32 = 4u;
const SUMS: u32 = 4u;

alias Left = coop_mat{SIDE}x{SIDE}<f16, A>;
alias Right = coop_mat{SIDE}x{SIDE}<f16, B>;
alias Sum = coop_mat{SIDE}x{SIDE}<f32, C>;

var<workgroup> tile: array<vec4<f16>, SIDE * SIDE / 4u>;
var<workgroup> sums: array<f32, SUBGROUPS * SIDE * SIDE>;

@compute @workgroup_size(SUBGROUPS * LANES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
    @builtin(subgroup_id) subgroup: u32,
) {
    for (var at = thread; at < SIDE * SIDE / 4u; at += SUBGROUPS * LANES) {
        // Unknown to the compiler, and small enough to stay finite.
        tile[at] = vec4<f16>(f16(out[0] + f32(at) * 1e-4));
    }
    workgroupBarrier();
    let a = coopLoadT<Left>(&tile[0], SIDE / 4u);
    let b = coopLoad<Right>(&tile[0], SIDE / 4u);
    //! each c < SUMS
    var sum_{c} = Sum();
    for (var round = 0u; round < ROUNDS; round++) {
        //! each c < SUMS
        sum_{c} = coopMultiplyAdd(a, b, sum_{c});
    }
    let own = subgroup * (SIDE * SIDE);
    var total = 0.0;
    //! each c < SUMS
    {
        coopStoreT(sum_{c}, &sums[own], SIDE);
        workgroupBarrier();
        total += sums[own + thread % LANES];
        workgroupBarrier();
    }
    // Never true, but the compiler does not know that.
    if (total == 0.125) {
        out[group.x] = total;
    }
}
