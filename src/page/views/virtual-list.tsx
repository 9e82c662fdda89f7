import type { ComponentChild } from 'preact';
import { useLayoutEffect, useMemo, useReducer, useRef } from 'preact/hooks';

export interface VirtualListProps<T> {
  items: readonly T[];
  keyOf(item: T): string;
  /** Pixels that an item has as long as nobody has seen it. */
  estimate: number;
  render(item: T, index: number): ComponentChild;
  /** What the list is, for those who hear it. */
  label: string;
  /** The list is at its end when it is first shown, and stays there as it grows. */
  startsAtEnd?: boolean;
  /** Called when the reader comes near the first item. */
  onNearStart?: (() => void) | undefined;
  /** Brings an item into sight and focus, once for each new object. */
  target?: { key: string } | undefined;
}

/** Pixels beyond what is seen that are in the document. */
const overscan = 600;
const nearStart = 1500;

/** Where the reader is: an item, and how far its top is above that of the list. */
interface Anchor {
  key: string;
  above: number;
}

/**
 * A list of which only what is seen is in the document. Heights are measured as items come into sight; whatever
 * changes above, the item that the reader looks at stays where it is.
 */
export function VirtualList<T>(props: VirtualListProps<T>) {
  const { items, keyOf, estimate, render, label, startsAtEnd = false, onNearStart, target } = props;
  const [, rerender] = useReducer((n: number) => n + 1, 0);
  const box = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>()).current;
  /** Counts the changes of heights. */
  const measured = useRef(0);
  const anchor = useRef<Anchor | 'end' | undefined>(startsAtEnd ? 'end' : undefined);
  const active = useRef<string | undefined>(undefined);
  const focusNext = useRef(false);
  const sought = useRef<object | undefined>(undefined);

  const indexes = useMemo(() => new Map(items.map((item, index) => [keyOf(item), index])), [items]);
  const tops = useMemo(() => {
    const sums = new Float64Array(items.length + 1);
    for (const [index, item] of items.entries())
      sums[index + 1] = (sums[index] ?? 0) + (heights.get(keyOf(item)) ?? estimate);
    return sums;
  }, [items, measured.current]);
  const height = tops[items.length] ?? 0;

  if (target !== undefined && target !== sought.current && indexes.has(target.key)) {
    sought.current = target;
    anchor.current = { key: target.key, above: -48 };
    active.current = target.key;
    focusNext.current = true;
  }

  /** Where the list should stand now. */
  function wantedTop(): number {
    const view = box.current?.clientHeight ?? 0;
    const at = anchor.current;
    if (at === 'end') return Math.max(0, height - view);
    const index = at === undefined ? undefined : indexes.get(at.key);
    const top =
      index === undefined || at === undefined ? (box.current?.scrollTop ?? 0) : (tops[index] ?? 0) + at.above;
    return Math.min(Math.max(0, top), Math.max(0, height - view));
  }

  const top = wantedTop();
  const view = box.current?.clientHeight ?? 800;
  const from = Math.max(0, indexAt(tops, top - overscan));
  const to = Math.min(items.length, indexAt(tops, top + view + overscan) + 1);
  const shown = Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
  // Whatever has the focus stays, else it would be lost.
  const pinned = active.current === undefined ? undefined : indexes.get(active.current);
  if (pinned !== undefined && (pinned < from || pinned >= to)) shown.push(pinned);

  const observer = useMemo(
    () =>
      new ResizeObserver((entries) => {
        let changed = false;
        for (const { target: row, borderBoxSize } of entries) {
          const key = (row as HTMLElement).dataset.key ?? '';
          const pixels = borderBoxSize[0]?.blockSize ?? 0;
          if (pixels === 0 || Math.abs((heights.get(key) ?? -1) - pixels) < 0.5) continue;
          heights.set(key, pixels);
          changed = true;
        }
        if (!changed) return;
        measured.current += 1;
        rerender(undefined);
      }),
    [],
  );
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) return undefined;
    const sized = new ResizeObserver(() => rerender(undefined));
    sized.observe(list);
    return () => {
      sized.disconnect();
      observer.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) return;
    const wanted = wantedTop();
    if (Math.abs(list.scrollTop - wanted) > 0.5) list.scrollTop = wanted;
    if (!focusNext.current || active.current === undefined) return;
    const row = list.querySelector<HTMLElement>(`[data-key="${CSS.escape(active.current)}"]`);
    if (row === null) return;
    focusNext.current = false;
    row.focus({ preventScroll: true });
  });

  function onScroll(): void {
    const list = box.current;
    if (list === null) return;
    const at = indexAt(tops, list.scrollTop);
    const item = items[at];
    const isAtEnd = list.scrollTop + list.clientHeight >= height - 2;
    if (isAtEnd && startsAtEnd) anchor.current = 'end';
    else if (item !== undefined)
      anchor.current = { key: keyOf(item), above: list.scrollTop - (tops[at] ?? 0) };
    if (list.scrollTop < nearStart) onNearStart?.();
    rerender(undefined);
  }

  /** Arrow keys go from item to item, as readers of feeds expect of Page Up and Page Down. */
  function onKeyDown(event: KeyboardEvent): void {
    const list = box.current;
    const isOnRow = event.target instanceof HTMLElement && 'key' in event.target.dataset;
    if (
      list === null ||
      (event.target !== list && !isOnRow) ||
      event.altKey ||
      event.ctrlKey ||
      event.metaKey
    )
      return;
    const current = active.current === undefined ? undefined : indexes.get(active.current);
    const here = current ?? indexAt(tops, list.scrollTop);
    const next = {
      ArrowDown: current === undefined ? here : here + 1,
      ArrowUp: here - 1,
      PageDown: here + 10,
      PageUp: here - 10,
      Home: 0,
      End: items.length - 1,
    }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = Math.min(Math.max(0, next), items.length - 1);
    const item = items[index];
    if (item === undefined) return;
    active.current = keyOf(item);
    focusNext.current = true;
    const [rowTop, rowEnd] = [tops[index] ?? 0, tops[index + 1] ?? 0];
    if (rowTop < list.scrollTop || rowEnd > list.scrollTop + list.clientHeight)
      anchor.current =
        event.key === 'End' && startsAtEnd
          ? 'end'
          : {
              key: keyOf(item),
              above:
                rowEnd - rowTop > list.clientHeight || rowTop < list.scrollTop
                  ? -8
                  : rowEnd - rowTop - list.clientHeight + 8,
            };
    rerender(undefined);
  }

  return (
    <div
      ref={box}
      class="virtual-list"
      role="feed"
      aria-label={label}
      tabIndex={0}
      onScroll={onScroll}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-list-inside" style={{ height: `${height}px` }}>
        {shown.map((index) => {
          const item = items[index] as T;
          const key = keyOf(item);
          return (
            <article
              key={key}
              data-key={key}
              class="virtual-row"
              style={{ top: `${tops[index]}px` }}
              tabIndex={-1}
              aria-posinset={index + 1}
              aria-setsize={items.length}
              onFocus={() => {
                active.current = key;
              }}
              ref={(row) => {
                if (row !== null) observer.observe(row);
              }}
            >
              {render(item, index)}
            </article>
          );
        })}
      </div>
    </div>
  );
}

/** The item that covers a height. */
function indexAt(tops: Float64Array, y: number): number {
  let [low, high] = [0, tops.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((tops[middle + 1] ?? Number.POSITIVE_INFINITY) <= y) low = middle + 1;
    else high = middle;
  }
  return Math.min(low, Math.max(0, tops.length - 2));
}
