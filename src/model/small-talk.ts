/** Words that keep a conversation going and say nothing to remember, in the large languages. */
const words = new Set(
  `a ah all and are aye bye cheers clear cool course correct done exactly fine for go good got great ha haha hello hey hi hm
   hmm i in is it its me much my nice no nope not of off oh ok okay perfect please really right see so sounds sure thank
   thanks that the then to too up very welcome well what will wow ya yeah yep yes you your
   ja nein danke bitte gut alles klar genau hallo prima super stimmt tschuss
   oui non merci bien sur accord bonjour salut parfait voila
   si gracias vale bueno claro hola adios perfecto por favor
   sim nao obrigado obrigada ola certo
   grazie prego ciao va bene certo perfetto
   да нет спасибо хорошо привет ладно ок
   はい いいえ ありがとう 了解 好 好的 谢谢 是 是的 不 嗯`.split(/\s+/),
);

/** A text of more words is worth remembering whatever they are. */
const mostWords = 6;

/** Whether a text is an "ok" or a "thank you" and nothing more. Digits always say something. */
export function isSmallTalk(text: string): boolean {
  const said =
    text
      .normalize('NFD')
      .replace(/\p{M}/gu, '')
      .normalize('NFC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? [];
  return said.length <= mostWords && said.every((word) => words.has(word));
}
