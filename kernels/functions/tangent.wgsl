// T(u): tan(√u)/√u for u ≥ 0 and tanh(√−u)/√−u for u < 0, and 1 + |u| times its derivative (1 + u·T² − T)/(2u): a series on |u| ≤ 0.3,
// closed forms beyond.
fn tangent_over_root(u: f32) -> vec2<f32> {
  if (abs(u) <= 0.3) {
    let value = 1.0 + u * (0.33333334 + u * (0.13333334 + u * (0.053968254 + u * (0.021869488 + u * (8.8632355e-3
      + u * (3.5921280e-3 + u * (1.4558344e-3 + u * (5.9002744e-4 + u * (2.3912911e-4 + u * 9.6915380e-5)))))))));
    let slope = 0.33333334 + u * (0.26666668 + u * (0.16190476 + u * (0.087477954 + u * (0.044316177
      + u * (0.021552768 + u * (0.010190841 + u * (4.7202196e-3 + u * (2.1521620e-3 + u * 9.6915380e-4))))))));
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
