/** Style and script of the page of a plan. */

export const STYLE = `
:root { --ink: #1c2024; --soft: #5b6570; --line: #d7dce1; --ground: #fff; --raised: #f5f7f9; --accent: #2f6fdb;
  --c0: #3b78d8; --c1: #d9822b; --c2: #3d9a5f; --c3: #8a5cc7; --c4: #c64b5c; --c5: #3c9aa8; --c6: #9a7b2f; --c7: #7a828a; --c8: #b45fae; --c9: #5c7f2f }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ec; --soft: #9aa5b0; --line: #333b43; --ground: #14181c; --raised: #1c2227; --accent: #7aa9f5;
    --c0: #6ea3f0; --c1: #e9a35c; --c2: #6dc28d; --c3: #b08ee6; --c4: #e67f8d; --c5: #6cc4d1; --c6: #c9aa5c; --c7: #a3abb3; --c8: #d78fd2; --c9: #94b866 } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground) }
header, main { max-width: 75rem; margin: auto; padding: 1rem 1.25rem }
h1 { margin: 0 } h2 { margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line) } header p { margin: 0; color: var(--soft) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; margin: 0 } dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums } .wide { overflow-x: auto }
th, td { text-align: left; padding: .15rem .7rem .15rem 0; vertical-align: top } th { color: var(--soft); font-weight: 600 }
tbody tr { border-top: 1px solid var(--line) } td.n { text-align: right }
details { margin: .3rem 0; padding: .3rem .6rem; background: var(--raised); border-radius: .4rem } summary { cursor: pointer }
pre { overflow-x: auto; font-size: .8rem } input { font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line);
  border-radius: .3rem; padding: .2rem .5rem; width: min(24rem, 70vw) } :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px }
figure { margin: 0 } figcaption { display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .85rem } svg { display: block; width: 100%; height: auto }
svg text { fill: var(--soft); font-size: 11px } .key { display: inline-block; width: .7em; height: .7em; border-radius: .15em; margin-right: .35em }
[hidden] { display: none }
`;

/** Hides the rows that lack the text; a program whose rows are all hidden goes, too, and one that has some opens. */
export const SCRIPT = `
for (const input of document.querySelectorAll('[data-filters]')) {
  const section = document.getElementById(input.dataset.filters);
  const rows = [...section.querySelectorAll('[data-row]')].map(row => [row, row.textContent.toLowerCase()]);
  input.addEventListener('input', () => {
    const wanted = input.value.trim().toLowerCase();
    for (const [row, text] of rows) row.hidden = !text.includes(wanted);
    for (const group of section.querySelectorAll('details:not([data-row])')) {
      const some = group.querySelector('[data-row]:not([hidden])') !== null;
      group.hidden = !some;
      group.open = wanted !== '' && some;
    }
  });
}
`;
