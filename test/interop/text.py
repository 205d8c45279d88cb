"""Tokenizers in the style of each family, and what transformers makes of nasty texts and of conversations with them.

Writes FOLDER/text/NAME/ (tokenizer files) and FOLDER/text.json (texts, ids, decoded texts, rendered conversations).
"""

import json
import pathlib
import random

from jinja2.exceptions import TemplateError
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

CORPUS = [
    "The quick brown fox jumps over the lazy dog; it doesn't care, and they've seen it all before.",
    "Ada has 12 shells, finds 345 more and loses 1. How many shells does Ada have now? 12 + 345 - 1 = 356.",
    "naïve café, Zażółć gęślą jaźń, привет мир, 你好世界 你好, مرحبا بالعالم, สวัสดี",
    "for (int i = 0; i < 10; i++) {\n    total += values[i];\n}\n\nreturn total;\n",
] * 20
# as Llama 3, Qwen2 and GPT-4's tokenizer split text, but for digits
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEXTS = [
    "a", " ", "  two before", "two after  ", "tab\tnew\nline\r\n\r\n  indented", "don't I'LL we'Ve it's",
    "1234567890 3.14 1,000 ½ ① Ⅳ", "naïve café e\u0301 ﬁ Å \u212b", "“quotes” – dash … №", "你好，世界。привет مرحبا สวัสดี",
    "👩‍👩‍👧‍👦🏳️‍🌈😀", "\u200b\ufeff\u00a0\u3000x", "\x00\x07\x1b[31m", "▁ literal ▁▁", "<0x41><0xFF>", "x" * 300,
    "for(i=0;i<10;i++){\n    x+=i;\n}\n", "<s>x</s> y</s>", "<|im_start|>user\nhi<|im_end|>\n", "a <|im_end|> b", "<|im_end|",
    "<unk> [UNK]", "\n\n\n", "  \n  \n", "İstanbul ǅ ß", "\U0001d54f\U00010348", "a\u0300\u0301\u0302",
]


def fuzz(count: int) -> list[str]:
    draw = random.Random(7)
    pool = list("ab eXZ019.,'\n\t  \r") + ["é", "e\u0301", "你", "😀", "\u200d", "ﬁ", "▁", "ß", "ا", "</s>", "<|im_end|>", "'s", "  "]
    return ["".join(draw.choices(pool, k=draw.randint(1, 24))) for _ in range(count)]


def byte_level(digits: str, normalizer=None) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = normalizer
    split = pre_tokenizers.Split(Regex(SPLIT % digits), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=420, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def with_start(tokenizer: Tokenizer, start: str) -> Tokenizer:
    tokenizer.add_special_tokens([start])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", pair=f"{start} $A {start} $B", special_tokens=[(start, tokenizer.token_to_id(start))]
    )
    return tokenizer


def sentencepiece(first_only: bool) -> Tokenizer:
    """BPE over characters with bytes to fall back to; a mark for spaces goes before the text, or before every part of it."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace()
    trained.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, show_progress=False))
    model = json.loads(trained.to_str())["model"]
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256)), *sorted(model["vocab"], key=model["vocab"].get)]
    vocab = {token: i for i, token in enumerate(tokens)}
    merges = [tuple(pair) for pair in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if first_only:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    return with_start(tokenizer, "<s>")


CHATML = dict(eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>", "<|endoftext|>"])
TOKENIZERS = {
    "llama2": lambda: (sentencepiece(False), dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")),
    "mistral": lambda: (sentencepiece(True), dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>")),
    "llama3": lambda: (with_start(byte_level("{1,3}"), "<|begin|>"), dict(bos_token="<|begin|>", eos_token="<|im_end|>")),
    "qwen": lambda: (byte_level("", normalizers.NFC()), CHATML),
}

# Features of the templates that models come with, in texts of our own.
TEMPLATES = {
    # a default system message, and one of the user's
    "chatml": """{%- if messages[0].role != 'system' %}{{- '<|im_start|>system\\nBe helpful.<|im_end|>\\n' }}{% endif -%}
{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}""",
    # tools and a date that are absent, filters, the start token
    "headers": """{{- bos_token }}{%- if not date_string is defined %}{%- set date_string = "26 Jul 2024" %}{%- endif %}
{%- if not tools is defined %}{%- set tools = none %}{%- endif %}
{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content']|trim %}{%- set messages = messages[1:] %}
{%- else %}{%- set system = "" %}{%- endif %}
{{- "<|h|>system<|/h|>\\n\\n" }}{%- if tools is not none %}{{- "Environment: ipython\\n" }}{%- endif %}
{{- "Today: " + date_string + "\\n\\n" + system + "<|eot|>" }}
{%- for message in messages %}{%- if not (message.role == 'ipython' or 'tool_calls' in message) %}
{{- '<|h|>' + message['role'] + '<|/h|>\\n\\n' + message['content'] | trim + '<|eot|>' }}{%- endif %}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|h|>assistant<|/h|>\\n\\n' }}{%- endif %}""",
    # roles that must alternate, the system message inside the first turn, the end token
    "inst": """{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system = false %}{% endif %}
{% for message in loop_messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}
{% if loop.index0 == 0 and system != false %}{% set content = '<<SYS>>\\n' + system + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}
{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}""",
    # a namespace, a walk from the end, reasoning that is dropped from earlier turns
    "thinking": """{%- set ns = namespace(last=messages|length - 1, found=false) %}
{%- for message in messages[::-1] %}{%- set index = (messages|length - 1) - loop.index0 %}
{%- if not ns.found and message.role == "user" and message.content is string and not (message.content.startswith('<r>') and message.content.endswith('</r>')) %}
{%- set ns.found = true %}{%- set ns.last = index %}{%- endif %}{%- endfor %}
{%- for message in messages %}{%- set content = message.content %}{%- set thought = '' %}
{%- if message.role == 'assistant' and '</think>' in content %}
{%- set thought = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}
{{- '<|im_start|>' + message.role + '\\n' }}{%- if thought and loop.index0 > ns.last %}{{- '<think>\\n' + thought.strip('\\n') + '\\n</think>\\n\\n' }}{%- endif %}
{{- content + '<|im_end|>\\n' }}{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}{%- endif %}""",
    # lists, joins, tests, inline conditions, whitespace that is kept
    "plain": """{% for m in messages if m.role in ['user', 'assistant'] %}
{{ loop.index }}/{{ loop.length }} {{ 'Q' if m.role == 'user' else 'A' }}: {{ m.content | replace('\\n', ' ') }}{{ '' if loop.last else ',' }}
{% endfor %}{{ ['a', 'b'] | join('-') | upper }}{% if add_generation_prompt %}
A: {% endif %}""",
}
CONVERSATIONS = [
    [("user", "Hi")],
    [("system", " Be brief.\n"), ("user", "  Hi \n"), ("assistant", " Hello. "), ("user", "Why?")],
    [("user", "Wie geht's, “Welt”?"), ("assistant", "<think>\nhm\n</think>\n\nGut."), ("user", "Und nun? {{ 7 * 7 }}"), ("assistant", "<think>ja</think>Los.")],
    [("user", "one"), ("user", "two")],
    [("system", "only")],
]


def main(folder: pathlib.Path) -> None:
    texts = TEXTS + fuzz(150)
    ids = random.Random(3)
    result = {"texts": texts, "tokenizers": {}, "templates": {}, "conversations": []}
    for name, make in TOKENIZERS.items():
        tokenizer, tokens = make()
        home = folder / "text" / name
        PreTrainedTokenizerFast(tokenizer_object=tokenizer, clean_up_tokenization_spaces=False, **tokens).save_pretrained(home)
        result["tokenizers"][name] = tokenized(home, texts, ids)
    result["tokenizers"]["tiny-qwen2"] = tokenized(pathlib.Path("examples/models/tiny-qwen2"), texts, ids)
    conversations = [[dict(role=role, content=content) for role, content in turns] for turns in CONVERSATIONS]
    result["conversations"] = conversations
    for name, template in TEMPLATES.items():
        home = folder / "text" / f"template_{name}"
        tokenizer = AutoTokenizer.from_pretrained(folder / "text" / "llama2")
        tokenizer.chat_template = template
        tokenizer.save_pretrained(home)
        result["templates"][name] = [[render(tokenizer, c, prompt) for prompt in (False, True)] for c in conversations]
    (folder / "text.json").write_text(json.dumps(result))


def tokenized(home: pathlib.Path, texts: list[str], draw: random.Random) -> dict:
    """Ids of texts, behind the start token as well; texts of ids, also of such as no text has."""
    tokenizer = AutoTokenizer.from_pretrained(home)
    rows = len(tokenizer)
    plain = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    sequences = plain + [draw.choices(range(rows), k=draw.randint(1, 12)) for _ in range(100)]
    decoded = [tokenizer.decode(s, skip_special_tokens=True, clean_up_tokenization_spaces=False) for s in sequences]
    start = tokenizer("a")["input_ids"][: -len(tokenizer("a", add_special_tokens=False)["input_ids"])]
    return dict(
        vocabulary=rows,
        start="".join(tokenizer.convert_ids_to_tokens(start)),
        plain=plain,
        started=[tokenizer((tokenizer.bos_token or "") + text, add_special_tokens=False)["input_ids"] for text in texts],
        sequences=sequences,
        decoded=decoded,
    )


def render(tokenizer, conversation: list[dict], prompt: bool) -> str | None:
    try:
        return tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=prompt)
    except TemplateError:
        return None
