/** Texts that several tests share. */

/** The line the language was made for. */
export const LINE = 'adapter q_proj < experts: hyperbolic(c=learn), sphere, euclid; router: top2 >';

/** A whole experiment. */
export const TINY = `// tiny.mos
let curved = hyperbolic(c=learn(init=0.1));

model  "models/tiny-qwen2" < dtype: f32 >
adapter o_proj, "mlp.{gate,up}_proj" layers 2..5 <
  rank: 8;  alpha: 16;
  experts: $curved * 2, sphere(c=learn), euclid;
  router: top2(aux=0.01)
>
adapter q_proj < experts: kappa(k=learn), euclid; router: soft >
data    "data/train.jsonl" < format: alpaca; length: 128; validation: 5% >
train   < steps: 300; batch: 16; lr: 3e-3; schedule: cosine(warmup=5%); curvature: adam(lr=1e-2); clip: 1.0; seed: 7 >
eval clock: on "data/clock.jsonl" < metric: exact; max_tokens: 24 >
`;
