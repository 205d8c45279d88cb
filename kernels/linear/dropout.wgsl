// Dropout of an adapter's input, recomputed wherever x is read. The words equal random4(site.index, row, column4) of
// common/random.wgsl; the part of it that one dispatch shares is taken out of the loops as `key`.
const DROPOUT: u32 = 0u; // @param an element is dropped when its random word is below this; 0 = no dropout at all
const KEEP_SCALE: f32 = 1.0; // @param 1 / (1 − p)

struct Dropper { key: vec4<u32>, threshold: vec4<u32>, scale: f32 }

fn dropper() -> Dropper {
  let on = frame.training == 1u;
  return Dropper(
    pcg4d(vec4<u32>(frame.seed, frame.step, frame.micro, site.index)),
    vec4<u32>(select(0u, DROPOUT, on)),
    select(1.0, KEEP_SCALE, on),
  );
}

// Four neighbours of a row of x, columns 4·column4 and up.
fn dropped(d: Dropper, value: vec4<f32>, row: u32, column4: u32) -> vec4<f32> {
  let words = pcg4d(vec4<u32>(d.key.x ^ row, d.key.y ^ column4, d.key.z, d.key.w));
  return select(vec4<f32>(), value * d.scale, words >= d.threshold);
}
