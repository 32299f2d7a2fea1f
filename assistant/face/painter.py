"""A picture that one paints on, as one HTML widget: brushes, an eraser, a pointer, a finger or the keyboard.

Its value is {"picture": data URL, "paint": {colour of a brush: data URL of a PNG, white where that brush painted
and transparent elsewhere}}. Give it values only: an update would make Gradio put a new one in its place.
"""

from __future__ import annotations

import html
from collections.abc import Mapping

import gradio as gr

from assistant.face.uploads import refuse_addresses
from assistant.language.catalogue import Wording

_STYLE = """
.tools { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin-bottom: 8px; font-size: 14px; }
.tools button { padding: 4px 12px; min-height: 34px; border-radius: 6px; cursor: pointer; color: inherit;
  border: 1px solid var(--border-color-primary); background: var(--background-fill-secondary); }
.tools button[aria-pressed=true] { outline: 2px solid var(--color-accent); font-weight: 600; }
.tools i { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 6px; }
.tools label { display: flex; align-items: center; gap: 6px; }
.sheet { position: relative; width: fit-content; max-width: 100%; margin: 0 auto; overflow: hidden; }
.sheet[hidden] { display: none; }
.sheet img { display: block; max-width: 100%; max-height: 430px; width: auto; height: auto; margin: 0; }
.sheet canvas { position: absolute; inset: 0; width: 100%; height: 100%; opacity: 0.5; cursor: crosshair;
  touch-action: none; }
.sheet canvas:focus-visible { outline: 3px solid var(--color-accent); outline-offset: -3px; }
.sheet .tip { position: absolute; border: 2px solid #fff; box-shadow: 0 0 0 1px #000; border-radius: 50%;
  transform: translate(-50%, -50%); pointer-events: none; display: none; }
"""

_PAINT = """
const one = (what) => element.querySelector(what);
const canvas = () => one('canvas');
let tool = one('.tools button').dataset.paint, at = null, drawing = false, mine = null, seen = null;

function show() {
  const value = props.value || {}, image = one('.sheet img');
  one('.sheet').hidden = !value.picture;
  if (!value.picture || (value.picture === seen && JSON.stringify(value.paint) === mine)) return;
  seen = value.picture; mine = JSON.stringify(value.paint); at = null;
  image.onload = () => {
    const sheet = canvas();
    sheet.width = image.naturalWidth; sheet.height = image.naturalHeight;
    for (const [color, paint] of Object.entries(value.paint || {})) {
      const layer = new Image();
      layer.onload = () => { if (seen === value.picture) tint(layer, color); };
      layer.src = paint;
    }
  };
  image.src = value.picture;
}

function tint(layer, color) {
  const sheet = canvas(), colored = document.createElement('canvas');
  colored.width = sheet.width; colored.height = sheet.height;
  const pen = colored.getContext('2d');
  pen.drawImage(layer, 0, 0, sheet.width, sheet.height);
  pen.globalCompositeOperation = 'source-in';
  pen.fillStyle = color;
  pen.fillRect(0, 0, sheet.width, sheet.height);
  sheet.getContext('2d').drawImage(colored, 0, 0);
}

function layers() {
  const sheet = canvas(), all = sheet.getContext('2d').getImageData(0, 0, sheet.width, sheet.height).data;
  const colors = [...element.querySelectorAll('[data-paint^="#"]')].map((button) => button.dataset.paint);
  const inks = colors.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  const found = colors.map(() => new ImageData(sheet.width, sheet.height));
  for (let i = 0; i < all.length; i += 4) {
    if (!all[i + 3]) continue;
    const far = inks.map((ink) => ink.reduce((sum, value, at) => sum + (all[i + at] - value) ** 2, 0));
    found[far.indexOf(Math.min(...far))].data.set([255, 255, 255, all[i + 3]], i);
  }
  return Object.fromEntries(colors.map((color, at) => {
    const layer = document.createElement('canvas');
    layer.width = sheet.width; layer.height = sheet.height;
    layer.getContext('2d').putImageData(found[at], 0, 0);
    return [color, layer.toDataURL('image/png')];
  }));
}

function radius() { return Number(one('.tools input').value) / 2; }

function stroke(to) {
  const sheet = canvas(), pen = sheet.getContext('2d'), from = at || to;
  const grow = sheet.width / sheet.getBoundingClientRect().width;
  pen.globalCompositeOperation = tool ? 'source-over' : 'destination-out';
  pen.strokeStyle = tool || '#000';
  pen.lineWidth = 2 * radius() * grow; pen.lineCap = pen.lineJoin = 'round';
  pen.beginPath(); pen.moveTo(from.x * grow, from.y * grow); pen.lineTo(to.x * grow, to.y * grow + 0.01);
  pen.stroke();
}

function point(to) {
  const size = `${2 * radius()}px`;
  one('.tip').style.cssText = `display:block;left:${to.x}px;top:${to.y}px;width:${size};height:${size}`;
  at = to;
}

function keep() {
  const paint = layers();
  mine = JSON.stringify(paint);
  props.value = { picture: seen, paint };
}

function place(event) {
  const box = canvas().getBoundingClientRect();
  return { x: event.clientX - box.left, y: event.clientY - box.top };
}

element.addEventListener('click', (event) => {
  const button = event.target.closest('.tools button');
  if (!button) return;
  if (button.dataset.clear !== undefined) {
    const sheet = canvas();
    sheet.getContext('2d').clearRect(0, 0, sheet.width, sheet.height);
    return keep();
  }
  tool = button.dataset.paint;
  element.querySelectorAll('[data-paint]').forEach((b) => b.setAttribute('aria-pressed', b === button));
});
element.addEventListener('pointerdown', (event) => {
  if (event.target !== canvas()) return;
  drawing = true; at = null;
  canvas().setPointerCapture(event.pointerId);
  stroke(place(event)); point(place(event));
});
element.addEventListener('pointermove', (event) => {
  if (event.target !== canvas()) return;
  if (drawing) stroke(place(event));
  point(place(event));
});
for (const end of ['pointerup', 'pointercancel']) {
  element.addEventListener(end, () => { if (drawing) { drawing = false; keep(); } });
}
element.addEventListener('pointerout', (event) => {
  if (event.target === canvas() && !drawing) one('.tip').style.display = 'none';
});
element.addEventListener('keydown', (event) => {
  if (event.target !== canvas()) return;
  const box = canvas().getBoundingClientRect(), step = event.shiftKey ? 2 : 10;
  const now = at || { x: box.width / 2, y: box.height / 2 };
  const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (move) {
    point({ x: Math.min(box.width, Math.max(0, now.x + step * move[0])),
            y: Math.min(box.height, Math.max(0, now.y + step * move[1])) });
  } else if (event.key === ' ' || event.key === 'Enter') {
    at = null; stroke(now); point(now); keep();
  } else return;
  event.preventDefault();
});
watch('value', show);
show();
"""


def lay_out_painter(label: str, brushes: Mapping[str, str], elem_id: str, w: Wording) -> gr.HTML:
    """A painter with a brush for each name and CSS colour, the first one in hand."""
    painter = gr.HTML(
        {},
        html_template=_draw_tools(label, brushes, w),
        css_template=_STYLE,
        js_on_load=_PAINT,
        apply_default_css=False,
        elem_id=elem_id,
    )
    refuse_addresses(painter, w)
    return painter


def _draw_tools(label: str, brushes: Mapping[str, str], w: Wording) -> str:
    buttons = "".join(
        f'<button type="button" data-paint="{color}" aria-pressed="{"false" if i else "true"}">'
        f'<i style="background:{color}"></i>{html.escape(name)}</button>'
        for i, (name, color) in enumerate(brushes.items())
    )
    what = html.escape(label)
    return (
        f'<div class="tools" role="toolbar" aria-label="{what}">{buttons}'
        f'<button type="button" data-paint="" aria-pressed="false">{w("Erase")}</button>'
        f'<button type="button" data-clear>{w("Erase all")}</button>'
        f'<label>{w("Brush size")} <input type="range" min="4" max="90" value="30"></label></div>'
        f'<div class="sheet" hidden><img alt="{what}"><canvas tabindex="0" role="application" '
        f'aria-label="{what}: {w("arrow keys move, space paints")}"></canvas><div class="tip"></div></div>'
    )
