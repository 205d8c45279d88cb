// Where everything is: a site is one input x shared by ADAPTERS adapters; adapter i owns the experts
// EXPERT_START[i] .. EXPERT_START[i + 1]. Shared by the adapter kernels.
//
//   inner     [0, LD_Z): z, RANK[e] columns from Z_COLUMN[e], ascending in e, gaps are padding; z goes on with the logits
//             of adapters whose router reads x: one column per expert from ROUTER_COLUMN[i]. [S_COLUMN, S_COLUMN + LD_S):
//             s, laid out like z. RADIUS_COLUMN: ‖x‖², where NEEDS_RADIUS.
//   routing   from ROUTE_COLUMN[i], ascending in i: P ×E, gate ×E, guard ×E, slot scale, logsumexp of the logits.
//   dz        [0, LD_Z): gradient with respect to z. From EXTRA_COLUMN: c_i per adapter (dx += x·Σc_i), then per expert
//             dn, then MAX_PARAMETERS dθ, then dlogσ, then dℓ where the router reads z.
//   geometry  θ at PARAM_OFFSET[e], 16 floats each, log σ behind them; router on rank space, [E, ΣRANK], at ROUTER_OFFSET[i].
const ADAPTERS: u32 = 1u; // @param
const EXPERTS: u32 = 1u; // @param
const MAX_ROWS: u32 = 1u; // @param rows of slot_scale per slot
const MAX_RANK: u32 = 4u; // @param
const MAX_EXPERTS: u32 = 1u; // @param largest per adapter, at most 16
const MAX_PARAMETERS: u32 = 1u; // @param of one expert's space, 1 to 4
const LD_Z: u32 = 4u; // @param
const LD_S: u32 = 4u; // @param
const LD_INNER: u32 = 12u; // @param
const S_COLUMN: u32 = 4u; // @param multiple of 4
const RADIUS_COLUMN: u32 = 8u; // @param
const LD_DZ: u32 = 12u; // @param
const LD_ROUTE: u32 = 8u; // @param
const EXTRA_COLUMN: u32 = 4u; // @param
// Per adapter; EXPERT_START has one more.
const EXPERT_START: array<u32, 2> = array<u32, 2>(0u, 1u); // @param
const HAS_ROUTER: array<u32, 1> = array<u32, 1>(0u); // @param
const ROUTER_COLUMN: array<u32, 1> = array<u32, 1>(0u); // @param
const ON_RANK: array<u32, 1> = array<u32, 1>(0u); // @param the router reads the stacked z, not x
const ROUTER_OFFSET: array<u32, 1> = array<u32, 1>(0u); // @param
const TOP_K: array<u32, 1> = array<u32, 1>(1u); // @param
const RENORM: array<u32, 1> = array<u32, 1>(1u); // @param
const AUX: array<f32, 1> = array<f32, 1>(0.0f); // @param
const ZLOSS: array<f32, 1> = array<f32, 1>(0.0f); // @param
const NOISE: array<f32, 1> = array<f32, 1>(0.0f); // @param
const SLOT: array<u32, 1> = array<u32, 1>(0u); // @param
const ROUTE_COLUMN: array<u32, 1> = array<u32, 1>(0u); // @param
// Per expert.
const SPACE: array<u32, 1> = array<u32, 1>(0u); // @param 0 flat, n the n-th of SPACES
const PARAMETERS: array<u32, 1> = array<u32, 1>(0u); // @param how many the space has
const Z_COLUMN: array<u32, 1> = array<u32, 1>(0u); // @param
const RANK: array<u32, 1> = array<u32, 1>(4u); // @param
const SCALE: array<f32, 1> = array<f32, 1>(1.0f); // @param alpha/rank
const LEARN_SCALE: array<u32, 1> = array<u32, 1>(0u); // @param
const INV_SIGMA2: array<f32, 1> = array<f32, 1>(1.0f); // @param 1/σ² unless learned
const GRAM_OFFSET: array<u32, 1> = array<u32, 1>(0u); // @param
const PARAM_OFFSET: array<u32, 1> = array<u32, 1>(0u); // @param

const PARAMETER_STRIDE = 16u;
const DN_COLUMN = EXTRA_COLUMN + ADAPTERS;
const DTHETA_COLUMN = DN_COLUMN + EXPERTS;
const DLOG_SIGMA_COLUMN = DTHETA_COLUMN + EXPERTS * MAX_PARAMETERS;
const DLOGIT_COLUMN = DLOG_SIGMA_COLUMN + EXPERTS;

fn log_sigma_at(e: u32) -> u32 { return PARAM_OFFSET[e] + PARAMETER_STRIDE * PARAMETERS[e]; }
