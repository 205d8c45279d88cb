// T(u): tan(√u)/√u for u ≥ 0 and tanh(√−u)/√−u for u < 0, and 1 + |u| times its derivative (1 + u·T² − T)/(2u): a series on |u| ≤ 0.5,
// closed forms beyond.
fn tangent_over_root(u: f32) -> vec2<f32> {
  if (abs(u) <= 0.5) {
    let value = 1.0 + u * (0.33333334 + u * (0.13333334 + u * (0.053968254 + u * (0.021869488 + u * (0.008863236 + u
      * (0.003592128 + u * (0.0014558344 + u * (0.0005900274 + u * (0.00023912912 + u * (9.691538e-5 + u *
      (3.9278322e-5 + u * 1.5918906e-5)))))))))));
    let slope = 0.33333334 + u * (0.26666668 + u * (0.16190477 + u * (0.08747795 + u * (0.044316176 + u *
      (0.021552768 + u * (0.010190841 + u * (0.0047202194 + u * (0.0021521621 + u * (0.00096915377 + u *
      (0.00043206156 + u * 0.00019102686))))))))));
    return vec2<f32>(value, (1.0 + abs(u)) * slope);
  }
  let x = sqrt(abs(u));
  if (u < 0.0) {
    // tanh x = 1 − 2/(e^2x + 1)
    let e = exp(-2.0 * min(x, 40.0));
    let value = (1.0 - e) / ((1.0 + e) * x);
    // sech² = 4e/(1 + e)²
    return vec2<f32>(value, (4.0 * e / ((1.0 + e) * (1.0 + e)) - value) * (0.5 / u - 0.5));
  }
  let turned = turn(x);
  let value = turned.x / (turned.y * x);
  return vec2<f32>(value, (1.0 / (turned.y * turned.y) - value) * (0.5 + 0.5 / u));
}
