import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { allTools } from '../../src/tools/index.ts';
import { clientKinds, connect } from './clients.ts';

const folders = readdirSync('skills');
const textOf = (skill: string) => readFileSync(`skills/${skill}/SKILL.md`, 'utf8');

describe.each(folders)('the skill %s', (skill) => {
  const text = textOf(skill);

  it('has the form that https://agentskills.io/specification wants', () => {
    const [, head = ''] = /^---\n(.*?)\n---\n/s.exec(text) ?? [];
    const [, name] = /^name: (.*)$/m.exec(head) ?? [];
    const [, description = ''] = /^description: (.*)$/m.exec(head) ?? [];
    expect(name).toBe(skill);
    expect(description.length).toBeGreaterThan(50);
    expect(description.length).toBeLessThanOrEqual(1024);
    expect(text.split('\n').length).toBeLessThan(500);
  });

  it('names tools and arguments that there are', () => {
    const known = new Set(
      allTools.flatMap((tool) => [
        tool.name,
        ...Object.keys(tool.input()),
        ...Object.keys(tool.output().shape),
      ]),
    );
    const named = [...text.matchAll(/`([a-z]+(?:_[a-z]+)+|[a-z]+[A-Z]\w*)/g)].map(([, word = '']) => word);
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((word) => !known.has(word))).toEqual([]);
  });

  it.each(clientKinds)('is served to a client of %s', async (kind) => {
    const client = await connect(kind, { args: ['--store', 'memory:'] });
    const uri = `skill://${skill}/SKILL.md`;
    await client.ok('create_session', { sessionId: 's' });
    expect(await client.readResource(uri)).toMatchObject({ uri, text });
    expect(await client.listResources()).toEqual(expect.arrayContaining([uri, 'session://default/s']));
    await client.close();
  });
});
