// Spaces: two radial maps each, lift(v) = v·L(q), q = ‖v‖², and drop(u) = u·D(m), m = ‖u‖², over up to four parameters
// in their stored form (log c, κ, logit u). Squared radii reach 1e36, where a plain derivative underflows although its
// product with what it multiplies does not; so it is returned times (1 + squared radius).
struct Radial {
  gain: f32,
  by_square: f32,        // (1 + q)·∂gain/∂q
  by_stored: vec4<f32>,  // ∂gain/∂(stored parameter)
  guarded: bool,         // a clamp acts
}

const FLAT = Radial(1.0, 0.0, vec4<f32>(), false);
const LARGEST_SQUARE = 1e36f;

// SPACES: the maps of every space; 0 is flat. @param
fn lift(space: u32, stored: vec4<f32>, square: f32) -> Radial { return FLAT; }
fn drop(space: u32, stored: vec4<f32>, square: f32) -> Radial { return FLAT; }
// end of SPACES
