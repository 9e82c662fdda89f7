import type { ComponentChildren } from 'preact';

interface FieldsProps {
  class?: string;
  /** Called by Enter in a field of one line; a button of the fields calls the same. */
  onDone(): void;
  children: ComponentChildren;
}

/** Fields that belong together. No form: hosts show the page in a frame where forms are not allowed to submit. */
export function Fields({ class: name, onDone, children }: FieldsProps) {
  return (
    <div
      class={name}
      role="group"
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !event.isComposing && event.target instanceof HTMLInputElement) onDone();
      }}
    >
      {children}
    </div>
  );
}
